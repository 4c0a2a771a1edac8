"""Which nodes there are, looked at now and then while trials run."""

import time
from collections.abc import Callable

import ray

from study.slots import Slots

LOOK = 10.0  # seconds between two looks


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
