"""The live view of a running phase on a terminal: numbers first, then their picture."""

from collections.abc import Mapping
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from study.asha import Asha

_SHOWN = 20  # trainings that the table has room for; others are counted


class Running(NamedTuple):
    """A training at work: its last scored epoch, 0 before the first, its objective there, and what it changes."""

    number: int
    epoch: int
    value: float | None
    words: str


class Rung(NamedTuple):
    """How many met after this epoch, how many of them may go on, and the objective that the next one must reach."""

    epoch: int
    met: int
    on: int
    cut: float


class Live(NamedTuple):
    """A phase at one moment. epochs: of a full training. slots: trainings at a time. left: seconds, None unknown."""

    phase: str
    done: int
    total: int
    epochs: int
    running: tuple[Running, ...]
    best: tuple[float, int] | None
    rungs: tuple[Rung, ...]
    slots: int | None
    left: float | None


def rungs_info(asha: Asha | None, epochs: int, curves: Mapping[int, Mapping[int, float]]) -> tuple[Rung, ...]:
    """The rungs that somebody has met. curves: objective by epoch, of each training."""
    if asha is None:
        return ()
    by_rung = {rung: [curve[rung] for curve in curves.values() if rung in curve] for rung in asha.rungs(epochs)}
    return tuple(Rung(rung, len(met), asha.goes_on(len(met)), asha.cutoff(met)) for rung, met in by_rung.items() if met)


def draw_live(info: Live) -> RenderableType:
    """A line on the phase, one per training at work, and one on the rungs."""
    head = Table.grid(padding=(0, 2))
    head.add_row(
        Text(f"{info.phase} {info.done}/{info.total}", style="bold"),
        ProgressBar(total=max(info.total, 1), completed=info.done, width=30),
        Text(f"best {info.best[0]:.4f} (trial {info.best[1]})" if info.best else "none in full yet", style="green"),
        Text(f"{len(info.running)} of {info.slots} slots" if info.slots else f"{len(info.running)} running"),
        Text(left_words(info.left)),
    )
    parts: list[RenderableType] = [head]
    if info.running:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for name, justify in (("trial", "right"), ("epoch", "right"), ("", "left"), ("objective", "right")):
            table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        table.add_column("changes", no_wrap=True, overflow="ellipsis", ratio=1)
        for one in info.running[:_SHOWN]:
            value = "" if one.value is None else f"{one.value:.4f}"
            bar = ProgressBar(total=info.epochs, completed=one.epoch, width=16)
            table.add_row(str(one.number), f"{one.epoch}/{info.epochs}", bar, value, one.words)
        parts.append(table)
        if len(info.running) > _SHOWN:
            parts.append(Text(f"and {len(info.running) - _SHOWN} more"))
    if info.rungs:
        told = "   ".join(f"{r.epoch}: {r.met} met, {r.on} may go on, from {r.cut:.4f}" for r in info.rungs)
        parts.append(Text(f"rungs after epoch  {told}", style="dim"))
    return Group(*parts)


def left_words(seconds: float | None) -> str:
    """'about 4 min left', '' where nobody knows."""
    if seconds is None:
        return ""
    if seconds > 5400:
        return f"about {seconds / 3600:.1f} h left"
    return f"about {seconds / 60:.0f} min left" if seconds > 90 else f"about {seconds:.0f} s left"
