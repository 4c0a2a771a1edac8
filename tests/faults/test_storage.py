"""Storage that refuses: the study stops with one sentence, no trial is blamed, and it goes on when there is room."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from core import checkpoint
from core.errors import BadStorage, BadStudy
from core.slices.table import SliceTable
from study.journal import Journal
from study.ledger import open_study
from tests.programs import SPACE, Place, finished_trials, wait_for

MEGABYTES = 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Take all the room that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def test_a_full_disk_stops_a_study_and_costs_no_trial(
    small_disk: Path, tmp_path: Path, healthy: SliceTable, lesioned: SliceTable
) -> None:
    (tmp_path / "work").mkdir()
    longer = SPACE.replace('"training.epochs" = 2', '"training.epochs" = 4').replace("top = 2", "top = 1")
    place = Place(tmp_path / "work", healthy, lesioned, longer)
    command = place.search("--runs", str(small_disk))
    journal = small_disk / "tiny" / "journal.log"
    first = place.begin(command)
    wait_for('"state":1', journal)
    filler = fill(small_disk)
    said, _ = first.communicate(timeout=120)
    assert first.returncode == 2, said
    assert "No space left on device" in said
    assert "the same command goes on when this is mended" in said
    assert "Traceback" not in said
    before = finished_trials(journal)
    assert before
    filler.unlink()

    last = place.run(command)
    assert last.returncode == 0, last.stdout + last.stderr
    after = finished_trials(journal)
    assert before.items() <= after.items()
    assert all(state.name != "FAIL" for state, _, _ in after.values())
    assert not list(small_disk.rglob("*.tmp"))


def test_a_full_disk_leaves_the_checkpoint_before(small_disk: Path) -> None:
    state = {"history": []}
    first = checkpoint.Checkpoint({"w": torch.zeros(1000)}, {"m": torch.zeros(1000)}, state)
    checkpoint.save(small_disk, 1, first)
    filler = fill(small_disk)
    with pytest.raises(OSError, match="No space left on device") as refused:
        checkpoint.save(small_disk, 2, first)
    assert isinstance(BadStorage.of(refused.value), BadStorage)
    assert sorted(path.name for path in small_disk.iterdir()) == ["epoch-00001", "filler"]
    filler.unlink()
    found = checkpoint.newest(small_disk)
    assert found is not None
    assert torch.equal(found.model["w"], torch.zeros(1000))


def test_the_journal_takes_whole_events_or_none(small_disk: Path) -> None:
    journal = Journal(small_disk / "journal.log")
    journal.append_logs([{"a": 1}])
    filler = fill(small_disk)
    with pytest.raises(OSError, match="No space left on device"):
        journal.append_logs([{"b": "x" * 100_000}])
    filler.unlink()
    journal.append_logs([{"c": 3}])
    assert list(journal.read_logs(0)) == [{"a": 1}, {"c": 3}]


@pytest.mark.parametrize("torn", ['{"op_code":4,"stu', '{"op_code":4}'[:1], "\0" * 5000])
def test_a_torn_line_is_cut_off(torn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "journal.log"
    study = open_study(path, "search")
    study.tell(study.ask(), 0.5)
    whole = path.read_bytes()
    with path.open("a") as file:
        file.write(torn)
    again = open_study(path, "search")
    assert path.read_bytes()[: len(whole)] == whole
    assert f"{len(torn)} bytes of a torn line cut off" in capsys.readouterr().out
    again.tell(again.ask(), 0.7)
    assert [trial.value for trial in open_study(path, "search").trials] == [0.5, 0.7]


def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    path.write_text("notes of mine\nand more")
    with pytest.raises(BadStudy, match="not JSON; expected an Optuna journal"):
        Journal(path)
    assert path.read_text() == "notes of mine\nand more"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_named(
    tmp_path: Path, healthy: SliceTable, lesioned: SliceTable
) -> None:
    place = Place(tmp_path, healthy, lesioned)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    done = place.run(place.search("--runs", str(closed)))
    assert done.returncode == 2
    assert "closed" in done.stderr
    assert "Traceback" not in done.stderr
