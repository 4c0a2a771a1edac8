"""Nodes that crash, nodes that join late, and a whole cluster that goes, on clusters of logical nodes."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core.slices.table import SliceTable
from tests.programs import SPACE, Nodes, Place, finished_trials, wait_for

LONG = (
    SPACE.replace('"training.epochs" = 2', '"training.epochs" = 12')
    .replace("trials = 3", "trials = 5")
    .replace("reduction = 3", "reduction = 1")
    .replace("top = 2", "top = 1")
)


@pytest.fixture
def place(tmp_path: Path, healthy: SliceTable, lesioned: SliceTable) -> Place:
    return Place(tmp_path, healthy, lesioned, LONG)


@pytest.fixture
def started() -> Iterator[ExitStack]:
    """What the test starts is stopped after it."""
    with ExitStack() as stack:
        yield stack


def test_a_crashed_node_and_then_the_whole_cluster_cost_no_trial(place: Place, started: ExitStack) -> None:
    journal = place.root / "runs" / "tiny" / "journal.log"
    nodes = Nodes(place, 2)
    started.callback(nodes.stop)
    first = place.begin(place.search("--concurrent", "3"))
    started.callback(first.kill)
    wait_for('"epoch 3"', journal, times=2)
    nodes.tell("crash")
    early = finished_trials(journal)
    nodes.tell("join")
    wait_for('"epoch 3"', journal, times=4)  # two trials at a time had begun: the crashed one or its successors go on
    nodes.kill()
    said, _ = first.communicate(timeout=300)
    assert first.returncode == 1, said
    assert "GCS may have been killed" in said
    before = finished_trials(journal)
    assert early.items() <= before.items()
    assert len(before) < 5

    again = Nodes(place, 1)
    started.callback(again.stop)
    last = place.run(place.search("--concurrent", "3"))
    assert last.returncode == 0, last.stdout + last.stderr
    assert f"kept {len(before)}, resumed " in last.stdout
    after = finished_trials(journal)
    assert before.items() <= after.items()
    assert len(after) in (5 + 3, 5 + 3 + 3)  # the preset's own choice is replicated too, if it is not the best
    assert all(state.name == "COMPLETE" and sorted(curve) == list(range(1, 13)) for state, _, curve in after.values())
