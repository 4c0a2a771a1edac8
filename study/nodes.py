"""Which nodes there are, looked at now and then while trials run."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial

from study.slots import Slots

LOOK = 10.0  # seconds between two looks
LONG = 60.0  # seconds without a running trial that are not a worker's start


class Nodes:
    """slots: what a trial occupies. waits: called when no node could run a trial any more, once until one could."""

    def __init__(self, slots: Slots, waits: Callable[[], None]) -> None:
        self.slots, self.waits = slots, waits
        self._next_look = 0.0
        self._waiting = False

    def none_left(self) -> str | None:
        """Why nothing goes on anywhere, None while there is a node: Tune would wait for another one for ever.

        A cluster whose head runs no trial may lose all nodes that do: it waits, and Ray says nothing of it.
        """
        if time.monotonic() < self._next_look:
            return None
        self._next_look = time.monotonic() + LOOK
        alive = [node for node in ray.nodes() if node["Alive"]]
        if not alive:
            return "Ray has no node left: its raylet was killed"
        waiting = not any(self.slots.fit(node["Resources"]) for node in alive)
        if waiting and not self._waiting:
            self.waits()
        self._waiting = waiting
        return None


class Idle(tune.Callback):
    """Says once, until a trial runs, that for a minute none has: on a full cluster Ray would wait in silence.

    slots: what a trial asks for. says: called with that, in words. now: seconds of a clock.
    """

    def __init__(self, slots: Slots, says: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> None:
        self.slots, self.says, self._now = slots, says, now
        self._since: float | None = now()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles it for restores of its own, which a study never does

    def on_step_end(self, iteration: int, trials: Sequence[Trial], **info: Any) -> None:
        """Look at the trials, as Tune does several times a second."""
        if any(trial.status == Trial.RUNNING for trial in trials):
            self._since = self._now()
        elif self._since is not None and self._now() - self._since > LONG:
            self._since = None
            gpus = f" and {self.slots.gpus:g} of a GPU" if self.slots.gpus else ""
            self.says(f"{self.slots.cpus} CPU{'s' * (self.slots.cpus != 1)}{gpus}")
