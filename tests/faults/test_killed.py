"""kill -9 of whatever a study is made of, spoilt checkpoints, a clock that runs backwards: what had finished
is there afterwards, as it was, and the others go on.
"""

import os
import shutil
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.slices.table import SliceTable
from tests.programs import SPACE, Place, finished_trials, kill, training, unfinished_trials, wait_for

LONG = (
    SPACE.replace('"training.epochs" = 2', '"training.epochs" = 20')
    .replace("trials = 3", "trials = 4")
    .replace("reduction = 3", "reduction = 1")
    .replace("top = 2", "top = 1")
)


@pytest.fixture
def place(tmp_path: Path, healthy: SliceTable, lesioned: SliceTable) -> Place:
    return Place(tmp_path, healthy, lesioned, LONG)


def test_workers_the_driver_the_journals_last_line_and_checkpoints(place: Place) -> None:
    folder = place.root / "runs" / "tiny"
    journal = folder / "journal.log"
    first = place.begin(place.search("--concurrent", "2"))
    wait_for('"epoch 3"', journal)
    second = place.run(place.search("--concurrent", "2"))
    assert second.returncode == 2, second.stdout
    assert f"process {first.pid} on " in second.stderr
    assert "carries this study out" in second.stderr

    killed = training(first.pid)
    assert killed
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    wait_for('"epoch 2"', journal, times=4)
    kill(first)
    before = finished_trials(journal)
    assert before
    with journal.open("a") as file:
        file.write('{"op_code":7,"worker_id":"torn')
    unfinished = [number for (_, number), epochs in unfinished_trials(journal).items() if epochs]
    assert len(unfinished) >= 2
    _truncate_newest(folder / "search" / f"{unfinished[0]:05d}")
    shutil.rmtree(folder / "search" / f"{unfinished[1]:05d}")

    place.environment["PYTHONPATH"] = f"{Path(__file__).parent / 'backwards'}:{place.environment.get('PYTHONPATH', '')}"
    last = place.begin(place.search("--concurrent", "2"))
    said, _ = last.communicate(timeout=500)
    assert last.returncode == 0, said
    assert f"took over from process {first.pid} on " in said
    assert "30 bytes of a torn line" in said
    assert f"{unfinished[1]} trains epoch 1 again: its checkpoint is damaged or gone" in said
    assert "Traceback" not in said
    after = finished_trials(journal)
    assert before.items() <= after.items()
    assert sum(study == "search" for study, _ in after) == 4
    assert all(len(curve) == 20 for _, _, curve in after.values())
    assert not (folder / "driver.lock").exists()
    assert all(row["seconds"] > 0 for row in pq.read_table(folder / "trials.parquet").to_pylist())


def _truncate_newest(folder: Path) -> None:
    newest = max(folder.glob("epoch-*")) / "model.safetensors"
    os.truncate(newest, newest.stat().st_size // 2)
