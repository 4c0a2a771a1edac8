"""Workers that die: when their trial is started again from its checkpoint, when it is given up, and when a node is.

Tune alone counts the deaths of a trial's whole life, and ends the whole run when Ray kills a worker because its node
runs out of memory. Ray kills those that began last, whoever filled the node; its message says who that was.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ray.air.execution._internal import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.tune.execution import tune_controller
from ray.tune.progress_reporter import TrialProgressCallback

PATIENCE = 4  # deaths within one epoch that end a trial, whatever they came from
TOO_LARGE = 2  # deaths within one epoch that end it when each time it was what filled the node's memory
CROWDED = 20  # deaths within one epoch that end it although each time others filled the memory: some minutes of them
LOST = 3  # trials given up on one node, without an epoch there in between, that are the node's fault
_IP = re.compile(r"\b(?:ip|IP)[:=] ?([0-9a-fA-F.:]*[0-9a-fA-F])")
_USED = re.compile(r"\((?:Actor\((\w+)\)|Task):.*actual memory used=([\d.]+)GB")  # a task: its actor still starts
_NODE = re.compile(r"was ([\d.]+)GB used / ([\d.]+)GB limit")


class Silent(TrialProgressCallback):
    """Tune's own words about a trial that is given up, which `verbose=0` does not spare."""

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def _print(self, msg: str) -> None:
        pass


@dataclass
class _Death:
    """words: what Ray said, '' where it knew nothing. too_large: this worker filled its node's memory.

    crowded: others filled it, which is not the trial's fault. node: its address, '' where Ray does not tell. counted:
    whether it was, since Tune tells some deaths twice.
    """

    words: str = ""
    too_large: bool = False
    crowded: bool = False
    node: str = ""
    counted: bool = False

    @classmethod
    def of(cls, error: Exception, actor: str) -> "_Death":
        found = _IP.search(str(error))
        address = found[1] if found else ""
        if not isinstance(error, OutOfMemoryError):
            return cls(node=address)
        used = [(name, float(size)) for name, size in _USED.findall(str(error))]
        node = _NODE.search(str(error))
        if not used or node is None:
            return cls("its node ran out of memory", node=address)
        mine = dict(used).get(actor, 0.0)  # nothing yet, where it was killed while it started
        # A share each for the trials of this node, and one for everything else that runs there.
        too_large = mine > float(node[1]) / (len(used) + 1) and mine == max(size for _, size in used)
        words = f"its node used {node[1]} of {node[2]} GB, {mine:g} GB of it this trial"
        return cls(words, too_large, not too_large, address)


@dataclass
class _Count:
    """Deaths of a trial's workers since an epoch was recorded."""

    epoch: int
    deaths: int = 0
    too_large: int = 0
    crowded: int = 0


class Deaths:
    """Counts the deaths of each trial's workers since its last recorded epoch. now: the one that Tune is told of.

    given_up: why, by trial, for those whose end Tune has not told yet.
    """

    def __init__(self) -> None:
        self.given_up: dict[int, str] = {}
        self._counts: dict[int, _Count] = {}
        self._last_words: dict[int, str] = {}
        self._lost: dict[str, dict[int, str]] = {}
        self._spared: set[int] = set()
        self.now = _Death()

    def foretold(self, number: int, words: str) -> None:
        """A worker says what it is about to die of."""
        self._last_words[number] = words

    def lives(self, node: str) -> dict[int, str]:
        """An epoch was trained on the node with this address: trials given up there before, and why, failed of it.

        Not those that others crowded out, who may have gone meanwhile: they stay in doubt.
        """
        lost = self._lost.pop(node, {})
        crowded = {number for number in lost if self._counts[number].crowded >= CROWDED}
        self._spared |= crowded
        return {number: reason for number, reason in lost.items() if number not in crowded}

    def is_in_doubt(self, number: int) -> bool:
        """Whether a trial was given up for what may be its node's fault, or others' on it."""
        return number in self._spared or any(number in lost for lost in self._lost.values())

    def begun_anew(self) -> list[int]:
        """The trials in doubt, whose deaths and nodes are forgotten."""
        numbers = self._spared.union(*self._lost.values())
        self._lost.clear()
        self._spared.clear()
        for number in numbers:
            self._counts.pop(number)
        return sorted(numbers)

    def bad_node(self) -> str | None:
        """Why the node of the newest death gets no more trials, None while it may: else it would end all of them."""
        lost = list(self._lost.get(self.now.node, {}).values())
        if len(lost) < LOST:
            return None
        return f"node {self.now.node}: {len(lost)} trials in a row came to nothing there, the last as {lost[-1]}"

    def why_to_give_up(self, number: int, epoch: int) -> str | None:
        """Count a death after this recorded epoch. The reason to end the trial, None to start it again."""
        count = self._counts.get(number)
        if count is None or count.epoch != epoch:
            count = self._counts[number] = _Count(epoch)
        death = self.now
        foretold = self._last_words.pop(number, "")
        death.words = death.words or foretold
        if not death.counted:
            count.deaths += not death.crowded
            count.too_large += death.too_large
            count.crowded += death.crowded
            death.counted = True
        if count.too_large >= TOO_LARGE:
            return f"out of memory: {death.words}"
        if count.deaths >= PATIENCE or count.crowded >= CROWDED:
            why = f", at last because {death.words}" if death.words else ""
            reason = f"its worker died {count.deaths + count.crowded} times in epoch {epoch + 1}{why}"
            if count.crowded >= CROWDED:
                reason += "; free the node of other programs, or run fewer trials at a time or smaller batches"
            if death.node:
                self._lost.setdefault(death.node, {})[number] = reason
            return reason
        return None

    @contextmanager
    def told_by_tune(self) -> Iterator[None]:
        """While Tune runs: notice what each worker died of, and let a lack of memory be a death like others to Tune."""
        deaths = self

        class Actors(RayActorManager):
            def _actor_task_failed(self, tracked_actor_task: Any, exception: Exception) -> None:
                with deaths._noticed(self, tracked_actor_task._tracked_actor, exception) as known:
                    super()._actor_task_failed(tracked_actor_task, known)

            def _actor_start_failed(self, tracked_actor: Any, exception: Exception) -> None:
                with deaths._noticed(self, tracked_actor, exception) as known:
                    super()._actor_start_failed(tracked_actor, known)

        tune: Any = tune_controller
        before, tune.RayActorManager = tune.RayActorManager, Actors
        try:
            yield
        finally:
            tune.RayActorManager = before

    @contextmanager
    def _noticed(self, manager: Any, tracked: Any, error: Exception) -> Iterator[Exception]:
        live = manager._live_actors_to_ray_actors_resources.get(tracked)
        self.now = _Death.of(error, live[0]._actor_id.hex() if live else "")
        try:
            yield RayActorError(error_msg=str(error)) if isinstance(error, OutOfMemoryError) else error
        finally:
            self.now = _Death()
