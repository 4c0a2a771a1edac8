"""Which deaths of workers end a trial: those that it caused itself, and those without end."""

import pytest
from ray.air.execution._internal import RayActorManager
from ray.exceptions import ActorDiedError, OutOfMemoryError
from ray.tune.execution import tune_controller

from study.deaths import PATIENCE, Deaths

SAID = """1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 10.0.0.1, ID: ab) was \
9.00GB used / 10.00GB limit (0.9)
Considered workers: [
Selected to kill: (Actor(aa01): job ID=01, pid=7, actual memory used=0.40GB, worker ID=2b)
(Actor(bb02): job ID=01, pid=8, actual memory used=7.50GB, worker ID=3c)
]"""
ALIKE = SAID.replace("=7.50GB", "=0.50GB")  # others filled this node
STARTING = SAID.replace("Actor(aa01)", "Task").replace(
    "(Actor(bb02): job ID=01, pid=8, actual memory used=7.50GB, worker ID=3c)\n", ""
)
SHORT = "1 worker(s) were killed."
LARGE, SMALL = "bb02", "aa01"
KILLED = ActorDiedError()


class _Manager:
    """The part of Ray's that knows living actors; every one is called `name`."""

    def __init__(self, name: str) -> None:
        handle = type("Handle", (), {"_actor_id": bytes.fromhex(name)})()
        self._live_actors_to_ray_actors_resources = {None: (handle, None)}


def die(deaths: Deaths, name: str, error: Exception, epoch: int = 0, told: int = 1) -> str | None:
    with deaths._noticed(_Manager(name), None, error):
        return [deaths.why_to_give_up(0, epoch) for _ in range(told)][-1]


def test_what_fills_its_node_twice_is_out_of_memory() -> None:
    deaths = Deaths()
    assert die(deaths, LARGE, OutOfMemoryError(SAID), told=2) is None
    assert die(deaths, LARGE, OutOfMemoryError(SAID)) == (
        "out of memory: its node used 9.00 of 10.00 GB, 7.5 GB of it this trial"
    )


def test_an_epoch_between_two_deaths_makes_them_two_beginnings() -> None:
    deaths = Deaths()
    assert [die(deaths, LARGE, OutOfMemoryError(SAID), epoch) for epoch in range(9)] == [None] * 9
    assert [die(deaths, LARGE, KILLED, epoch) for epoch in range(9)] == [None] * 9


@pytest.mark.parametrize(("said", "name"), [(SAID, SMALL), (ALIKE, SMALL), (ALIKE, LARGE), (STARTING, SMALL)])
def test_memory_that_others_took_is_no_fault(said: str, name: str) -> None:
    deaths = Deaths()
    assert [die(deaths, name, OutOfMemoryError(said)) for _ in range(9)] == [None] * 9


@pytest.mark.parametrize("error", [KILLED, OutOfMemoryError(SHORT)])
def test_deaths_without_an_epoch_come_to_an_end(error: Exception) -> None:
    deaths = Deaths()
    assert [die(deaths, LARGE, error, 4) for _ in range(PATIENCE - 1)] == [None] * (PATIENCE - 1)
    reason = die(deaths, LARGE, error, 4)
    assert reason is not None
    assert reason.startswith("its worker died 4 times in epoch 5")


def test_tune_is_left_as_it_was() -> None:
    with Deaths().told_by_tune():
        assert tune_controller.RayActorManager is not RayActorManager
    assert tune_controller.RayActorManager is RayActorManager
