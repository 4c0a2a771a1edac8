"""Nodes that crash and nodes that join late, on a cluster of logical nodes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.slices.table import SliceTable
from tests.programs import SPACE, Place, finished_trials, wait_for

LONG = SPACE.replace('"training.epochs" = 2', '"training.epochs" = 12').replace("reduction = 3", "reduction = 1")


@pytest.fixture
def place(tmp_path: Path, healthy: SliceTable, lesioned: SliceTable) -> Place:
    return Place(tmp_path, healthy, lesioned, LONG.replace("trials = 3", "trials = 5").replace("top = 2", "top = 1"))


@pytest.fixture
def nodes(place: Place) -> Iterator[Callable[[str], None]]:
    """Two nodes of one CPU and a head without; a function that crashes one or adds one."""
    ray = Path(sys.executable).with_name("ray")
    subprocess.run([ray, "get-auth-token", "--generate"], env=place.environment, check=True, capture_output=True)
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("logical_nodes.py")), "2"],
        env=place.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    for line in process.stdout:
        if ":" in line and line.strip().replace(".", "").replace(":", "").isdigit():
            place.environment["RAY_ADDRESS"] = line.strip()
            break

    def tell(what: str) -> None:
        process.stdin.write(what + "\n")
        process.stdin.flush()
        while process.stdout.readline().strip() != "done":
            assert process.poll() is None

    try:
        yield tell
    finally:
        process.stdin.close()
        process.wait(timeout=60)


def test_a_crashed_node_costs_no_trial_and_a_late_one_is_used(place: Place, nodes: Callable[[str], None]) -> None:
    journal = place.root / "runs" / "tiny" / "journal.log"
    running = place.begin(place.search("--concurrent", "3"))
    wait_for('"epoch 3"', journal, times=2)
    nodes("crash")
    before = finished_trials(journal)
    nodes("join")
    nodes("join")
    said, _ = running.communicate(timeout=280)
    assert running.returncode == 0, said
    after = finished_trials(journal)
    assert before.items() <= after.items()
    assert len(after) == 5 + 3
    assert all(state.name == "COMPLETE" and sorted(curve) == list(range(1, 13)) for state, _, curve in after.values())
