"""kill -9 of whatever a study is made of: every trial that had finished is there afterwards, as it was."""

import os
import signal
import time
from pathlib import Path

import pytest

from core.slices.table import SliceTable
from tests.programs import SPACE, Place, descendants, finished_trials, wait_for

LONG = (
    SPACE.replace('"training.epochs" = 2', '"training.epochs" = 10')
    .replace("reduction = 3", "reduction = 1")
    .replace("top = 2", "top = 1")
)


@pytest.fixture
def place(tmp_path: Path, healthy: SliceTable, lesioned: SliceTable) -> Place:
    return Place(tmp_path, healthy, lesioned, LONG)


def _workers(driver: int) -> list[int]:
    """Processes that train: Ray names them after Tune's wrapper of the function that they run."""
    return [pid for pid, command in descendants(driver).items() if command.startswith(b"ray::ImplicitFunc")]


def test_workers_the_driver_and_the_journals_last_line(place: Place) -> None:
    journal = place.root / "runs" / "tiny" / "journal.log"
    first = place.begin(place.search())
    wait_for('"epoch 3"', journal)
    second = place.run(place.search())
    assert second.returncode == 2, second.stdout
    assert f"process {first.pid} on " in second.stderr
    assert "carries this study out" in second.stderr

    killed = _workers(first.pid)
    assert killed
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    wait_for('"state":1', journal)
    time.sleep(0.2)
    first.kill()
    first.communicate()
    before = finished_trials(journal)
    assert before
    with journal.open("a") as file:
        file.write('{"op_code":7,"worker_id":"torn')

    last = place.run(place.search())
    assert last.returncode == 0, last.stdout + last.stderr
    assert f"took over from process {first.pid} on " in last.stdout
    assert "30 bytes of a torn line" in last.stdout
    assert "Traceback" not in last.stdout + last.stderr
    after = finished_trials(journal)
    assert before.items() <= after.items()
    assert sum(study == "search" for study, _ in after) == 3
    assert all(len(curve) == 10 for _, _, curve in after.values())
    assert not (place.root / "runs" / "tiny" / "driver.lock").exists()
