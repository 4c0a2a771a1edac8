"""A cluster of which no node could run a trial: Ray waits for one in silence, the study says so."""

import pickle
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from study import nodes
from study.nodes import LONG, Idle, Nodes
from study.slots import Slots

HEAD = {"Alive": True, "Resources": {"memory": 2.0**34}}  # of no CPUs, as Ray tells of it
GONE = {"Alive": False, "Resources": {"CPU": 8.0}}


def _node(**resources: float) -> dict[str, Any]:
    return {"Alive": True, "Resources": resources}


def test_it_says_once_that_it_waits_and_once_more_after_a_node_came(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    there: list[dict[str, Any]] = []
    monkeypatch.setattr(nodes, "LOOK", 0.0)
    monkeypatch.setattr(ray, "nodes", lambda: there)
    looked = Nodes(Slots(2, 0, 4), lambda: told.append("waits"))
    for found, times in (([HEAD, _node(CPU=2)], 0), ([HEAD, GONE], 1), ([HEAD, _node(CPU=1)], 1)):
        there[:] = found
        assert looked.none_left() is None
        assert len(told) == times
    for found, times in (([HEAD, _node(CPU=8)], 1), ([HEAD, GONE], 2)):
        there[:] = found
        assert looked.none_left() is None
        assert len(told) == times
    there[:] = [GONE]
    assert looked.none_left() == "Ray has no node left: its raylet was killed"


def test_it_looks_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(ray, "nodes", lambda: looks.append(1) or [HEAD])
    looked = Nodes(Slots(1, 0, 1), lambda: None)
    for _ in range(3):
        looked.none_left()
    assert len(looks) == 1


def test_it_says_once_that_nothing_runs_and_once_more_after_something_did() -> None:
    told: list[str] = []
    clock = [100.0]
    idle = Idle(Slots(1, 0.25, 2), told.append, lambda: clock[0])
    waiting, running = SimpleNamespace(status="PENDING"), SimpleNamespace(status="RUNNING")
    steps = [(LONG, [waiting], 0), (1, [waiting], 1), (9 * LONG, [waiting], 1), (1, [waiting, running], 1)]
    for seconds, trials, times in [*steps, (LONG, [waiting], 1), (1, [], 2)]:
        clock[0] += seconds
        idle.on_step_end(0, trials)
        assert len(told) == times
    assert told[0] == "1 CPU and 0.25 of a GPU"
    Idle(Slots(2, 0, 2), told.append, iter((0.0, 61.0)).__next__).on_step_end(0, [waiting])
    assert told[-1] == "2 CPUs"
    pickle.dumps(Idle(Slots(2, 0, 2), lambda asked: None))  # as Tune does, which must not meet the screen and its lock


@pytest.mark.parametrize(
    ("slots", "resources", "fits"),
    [
        (Slots(2, 0, 1), {"CPU": 2.0}, True),
        (Slots(2, 0.5, 1), {"CPU": 2.0}, False),
        (Slots(2, 0.5, 1), {"CPU": 2.0, "GPU": 1.0}, True),
        (Slots(1, 0, 1, memory=2**30), {"CPU": 2.0, "memory": 2.0**29}, False),
        (Slots(1, 0, 1, memory=2**30), {"CPU": 2.0, "memory": 2.0**31}, True),
    ],
)
def test_a_node_fits_a_trial_with_all_that_it_asks_for(slots: Slots, resources: dict[str, float], fits: bool) -> None:
    assert slots.fit(resources) == fits
