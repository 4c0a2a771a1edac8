"""How far a row of volumes is: a bar on a terminal, at most ten plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from core.slices.ingesting import Told

_LINES = 10


@contextmanager
def shown(console: Console, title: str) -> Iterator[Told]:
    """Yield a callback for (done, in all, name) that shows on this console; it may be called from any thread."""
    if not console.is_terminal:
        yield lambda done, total, name: _line(console, title, done, total, name)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[name]}", markup=False), console=console) as bar:
        task = bar.add_task(title, total=None, name="")
        yield lambda done, total, name: bar.update(task, completed=done, total=total, name=name)


def _line(console: Console, title: str, done: int, total: int, name: str) -> None:
    # The last volume and every tenth of them have a line.
    if done * _LINES // total > (done - 1) * _LINES // total:
        console.print(f"{title}: {done} of {total}, {name}", markup=False)
