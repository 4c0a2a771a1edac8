"""What a study says while it runs: one line per event, and on a terminal a live view below them.

Where the output is no terminal, as in a log or in `ray job logs`, the lines are all there is.
"""

import time
from types import TracebackType
from typing import Any

from optuna.trial import TrialState
from rich.console import RenderableType
from rich.live import Live as Screen

from core.config import differences, from_dict
from core.console import out
from study.ledger import REASON, Ledger
from study.live import Live, Rung, Running, draw_live, left_words, rungs_info

_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "interrupted",
}


class Progress:
    """Prints events of one phase, such as `search`, of `total` trainings. slots: trainings at a time, None unknown."""

    def __init__(
        self, phase: str, total: int, done: int, epochs: int, base: dict[str, Any], slots: int | None = None
    ) -> None:
        self.phase, self.total, self.done, self.epochs, self.slots = phase, total, done, epochs, slots
        self.base = from_dict(base)
        self._fresh = 0
        self._running: dict[int, Running] = {}
        self._best: tuple[float, int] | None = None
        self._began = time.monotonic()
        self._ledger: Ledger | None = None
        self._rungs: tuple[Rung, ...] = ()
        self._screen = Screen(console=out, refresh_per_second=2, transient=True, get_renderable=self._drawn)

    def __enter__(self) -> "Progress":
        self._began = time.monotonic()
        if out.is_terminal:
            self._screen.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._screen.stop()

    def follow(self, ledger: Ledger) -> None:
        """Show the rungs of this ledger, and the best of what it has already."""
        self._ledger = ledger
        scored = [
            (t.value, t.number) for t in ledger.trials() if t.state == TrialState.COMPLETE and t.value is not None
        ]
        self._best = max(scored, default=None)
        self._meet()

    def started(self, number: int, config: dict[str, Any]) -> None:
        """A training was handed to a worker."""
        changed = differences(from_dict(config), self.base)
        words = ", ".join(f"{name.removeprefix('synthesis.')} {_short(value)}" for name, value in changed.items())
        self._running[number] = Running(number, 0, None, words or "the base configuration")
        self._say(f"{number} begins: {words or 'the base configuration'}")

    def epoch(self, number: int, epoch: int, value: float) -> None:
        """An epoch was scored."""
        before = self._running.get(number, Running(number, 0, None, ""))
        self._running[number] = before._replace(epoch=epoch, value=value)
        if self._ledger and self._ledger.asha and self._ledger.asha.is_rung(epoch):
            self._meet()

    def died(self, number: int, epoch: int, why: str) -> None:
        """The worker of a training died after this recorded epoch, and another takes over."""
        self._say(f"{number} goes on from epoch {epoch}: its worker died{why and ', ' + why}")

    def waits(self) -> None:
        """The last node that could run a training has gone, or none has come yet."""
        self._say("no node of the cluster could run a training now; waiting for one to join")

    def idle(self, asked: str) -> None:
        """No training has run for a while, although a node could take one that asks for this."""
        self._say(f"nothing runs for a minute now: others may hold {asked} that a training needs, or its worker starts")

    def lost(self, number: int, why: str) -> None:
        """A training was given up, by its own fault or its node's."""
        self._running.pop(number, None)
        self._say(f"{number} given up for now: {why}; it fails if the fault proves its own, else it is tried again")

    def repeats(self, number: int, epoch: int) -> None:
        """A training does an epoch again that was recorded before."""
        self._say(f"{number} trains epoch {epoch} again: its checkpoint is damaged or gone")

    def ended(self, number: int, state: TrialState, ledger: Ledger) -> None:
        """A training ended in this state."""
        ran = self._running.pop(number, Running(number, 0, None, ""))
        trial = ledger.trials()[number]
        if state.is_finished():
            self.done, self._fresh = self.done + 1, self._fresh + 1
        if state == TrialState.COMPLETE and trial.value is not None:
            self._best = max(self._best or (trial.value, number), (trial.value, number))
        why = f": {trial.user_attrs[REASON]}" if state == TrialState.FAIL else ""
        scored = ran.value is not None
        reached = f" at epoch {ran.epoch} of {self.epochs}, objective {ran.value:.4f}" if scored else ""
        left = left_words(self._left())
        self._say(f"{number} {_STATES[state]}{reached}{why}  [{self.done}/{self.total}{left and ', ' + left}]")

    def info(self) -> Live:
        """The phase at this moment."""
        running = tuple(self._running[number] for number in sorted(self._running))
        return Live(
            self.phase, self.done, self.total, self.epochs, running, self._best, self._rungs, self.slots, self._left()
        )

    def _meet(self) -> None:
        # Here rather than when it is drawn: that happens in a thread of its own, which must not touch the ledger.
        if self._ledger and out.is_terminal:
            curves = {trial.number: trial.intermediate_values for trial in self._ledger.trials()}
            self._rungs = rungs_info(self._ledger.asha, self.epochs, curves)

    def _left(self) -> float | None:
        if not self._fresh or self.done >= self.total:
            return None
        return (time.monotonic() - self._began) / self._fresh * (self.total - self.done)

    def _say(self, text: str) -> None:
        out.print(f"{self.phase}: {text}", markup=False)

    def _drawn(self) -> RenderableType:
        return draw_live(self.info())


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
