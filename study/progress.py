"""What a study says while it runs: one line per event, and on a terminal a live line below them."""

import time
from types import TracebackType
from typing import Any

from optuna.trial import TrialState
from rich.live import Live
from rich.text import Text

from core.config import differences, from_dict
from core.console import out
from study.ledger import REASON, Ledger

_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "interrupted",
}


class Progress:
    """Prints events of one phase, such as `search`, of `total` trainings."""

    def __init__(self, phase: str, total: int, done: int, epochs: int, base: dict[str, Any]) -> None:
        self.phase, self.total, self.done, self.epochs = phase, total, done, epochs
        self.base = from_dict(base)
        self._fresh = 0
        self._running: dict[int, tuple[int, float | None]] = {}
        self._best: tuple[float, int] | None = None
        self._began = time.monotonic()
        self._live = Live(console=out, refresh_per_second=4, transient=True, get_renderable=self._status)

    def __enter__(self) -> "Progress":
        self._began = time.monotonic()
        if out.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def started(self, number: int, config: dict[str, Any]) -> None:
        """A training was handed to a worker."""
        changed = differences(from_dict(config), self.base)
        words = ", ".join(f"{name.removeprefix('synthesis.')} {_short(value)}" for name, value in changed.items())
        self._running[number] = (0, None)
        self._say(f"{number} begins: {words or 'the base configuration'}")

    def epoch(self, number: int, epoch: int, value: float) -> None:
        """An epoch was scored."""
        self._running[number] = (epoch, value)

    def died(self, number: int, epoch: int, why: str) -> None:
        """The worker of a training died after this recorded epoch, and another takes over."""
        self._say(f"{number} goes on from epoch {epoch}: its worker died{why and ', ' + why}")

    def repeats(self, number: int, epoch: int) -> None:
        """A training does an epoch again that was recorded before."""
        self._say(f"{number} trains epoch {epoch} again: its checkpoint is damaged or gone")

    def ended(self, number: int, state: TrialState, ledger: Ledger) -> None:
        """A training ended in this state."""
        epoch, value = self._running.pop(number, (0, None))
        trial = ledger.trials()[number]
        if state.is_finished():
            self.done, self._fresh = self.done + 1, self._fresh + 1
        if state == TrialState.COMPLETE and trial.value is not None:
            self._best = max(self._best or (trial.value, number), (trial.value, number))
        why = f": {trial.user_attrs[REASON]}" if state == TrialState.FAIL else ""
        reached = f" at epoch {epoch} of {self.epochs}, objective {value:.4f}" if value is not None else ""
        self._say(f"{number} {_STATES[state]}{reached}{why}  [{self.done}/{self.total}{self._left()}]")

    def _left(self) -> str:
        if not self._fresh or self.done >= self.total:
            return ""
        seconds = (time.monotonic() - self._began) / self._fresh * (self.total - self.done)
        return f", about {seconds / 60:.0f} min left" if seconds > 90 else f", about {seconds:.0f} s left"

    def _say(self, text: str) -> None:
        out.print(f"{self.phase}: {text}", markup=False)

    def _status(self) -> Text:
        running = "  ".join(
            f"{number}: {epoch}/{self.epochs}" + (f" {value:.3f}" if value is not None else "")
            for number, (epoch, value) in sorted(self._running.items())
        )
        best = f"   best {self._best[0]:.4f} (trial {self._best[1]})" if self._best else ""
        return Text(f"{self.phase} {self.done}/{self.total}   {running}{best}{self._left()}", style="cyan")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
