"""Storage that refuses: the study stops with one sentence, no trial is blamed, and it goes on when there is room."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from optuna.storages.journal import JournalFileSymlinkLock

from core import checkpoint
from core.errors import BadStorage, BadStudy
from core.slices.table import SliceTable
from study.journal import Journal
from study.ledger import open_study
from tests.faults.disks import fill, remount, small_disk
from tests.programs import SPACE, Place, finished_trials, wait_for

MEGABYTES = 4


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    try:
        with small_disk(tmp_path / "disk", MEGABYTES) as place:
            yield place
    except OSError as refused:
        pytest.skip(f"this user may not mount a small file system: {refused}")


def test_storage_that_is_full_or_read_only_stops_a_study_and_costs_no_trial(
    disk: Path, tmp_path: Path, healthy: SliceTable, lesioned: SliceTable, small_probe: SliceTable
) -> None:
    (tmp_path / "work").mkdir()
    # What a trial that ended leaves free holds two checkpoints of the next: the third of its epochs finds no room.
    longer = SPACE.replace('"training.epochs" = 2', '"training.epochs" = 8').replace("top = 2", "top = 1")
    place = Place(tmp_path / "work", healthy, lesioned, longer, small_probe)
    command = place.search("--runs", str(disk))
    journal = disk / "tiny" / "journal.log"

    def stopped_by(spoil: Callable[[], object]) -> tuple[str, dict[tuple[str, int], Any]]:
        completed = journal.read_text().count('"state":1') if journal.exists() else 0
        running = place.begin(command)
        wait_for('"state":1', journal, times=completed + 1)
        spoil()
        said, _ = running.communicate(timeout=300)
        assert running.returncode == 2, said
        assert "the same command goes on when this is mended" in said
        assert "Traceback" not in said
        return said, finished_trials(journal)

    said, full = stopped_by(lambda: fill(disk))
    assert "No space left on device" in said
    assert full
    (disk / "filler").unlink()

    said, frozen = stopped_by(lambda: remount(disk, "ro"))
    assert "Read-only file system" in said
    assert full.items() < frozen.items()
    refused = place.run(command)
    assert refused.returncode == 2
    assert "Read-only file system" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    remount(disk, "rw")

    last = place.run(command)
    assert last.returncode == 0, last.stdout + last.stderr
    after = finished_trials(journal)
    assert frozen.items() <= after.items()
    assert all(state.name != "FAIL" for state, _, _ in after.values())
    assert not list(disk.rglob("*.tmp"))


def test_a_full_disk_leaves_the_checkpoint_before(disk: Path) -> None:
    state = {"history": []}
    first = checkpoint.Checkpoint({"w": torch.zeros(1000)}, {"m": torch.zeros(1000)}, state)
    checkpoint.save(disk, 1, first)
    filler = fill(disk)
    with pytest.raises(OSError, match="No space left on device") as refused:
        checkpoint.save(disk, 2, first)
    assert isinstance(BadStorage.of(refused.value), BadStorage)
    assert sorted(path.name for path in disk.iterdir()) == ["epoch-00001", "filler"]
    filler.unlink()
    found = checkpoint.newest(disk)
    assert found is not None
    assert torch.equal(found.model["w"], torch.zeros(1000))


def test_whoever_may_read_a_file_here_may_read_weights(tmp_path: Path) -> None:
    """As those of a lab share a study's folder, whatever the mask of its owner's process is."""
    for number, mask in enumerate((0o022, 0o027)):
        before = os.umask(mask)
        try:
            checkpoint.save_tensors(tmp_path / f"{number}.safetensors", {"w": torch.zeros(2)})
        finally:
            os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in sorted(tmp_path.iterdir())]
    assert modes == [0o644, 0o640]


@pytest.mark.parametrize("moment", ["save_tensors", "write_json", "rename"])
def test_two_workers_of_one_trial_leave_a_whole_checkpoint(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is on a node that was taken for dead, and goes on there."""
    state = {"history": []}
    kept = checkpoint.Checkpoint({"w": torch.ones(1000)}, {"m": torch.zeros(1000)}, state)
    where = Path if moment == "rename" else checkpoint
    original = getattr(where, moment)

    def overtaken(path: Path, *what: Any) -> Any:
        monkeypatch.setattr(where, moment, original)
        written = original(path, *what) if moment == "save_tensors" else None
        checkpoint.save(tmp_path, 1, kept)
        return written if moment == "save_tensors" else original(path, *what)

    monkeypatch.setattr(where, moment, overtaken)
    checkpoint.save(tmp_path, 1, kept)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-00001"]
    found = checkpoint.newest(tmp_path)
    assert found is not None
    assert torch.equal(found.model["w"], torch.ones(1000))


def test_what_a_killed_worker_left_half_written_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".epoch-00002.0123456789abcdef.tmp"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half")
    assert checkpoint.newest(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_the_journal_takes_whole_events_or_none(disk: Path) -> None:
    journal = Journal(disk / "journal.log")
    journal.append_logs([{"a": 1}])
    filler = fill(disk)
    with pytest.raises(OSError, match="No space left on device"):
        journal.append_logs([{"b": "x" * 100_000}])
    filler.unlink()
    journal.append_logs([{"c": 3}])
    assert list(journal.read_logs(0)) == [{"a": 1}, {"c": 3}]


def test_a_journal_that_is_gone_is_not_begun_anew(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.log")
    journal.append_logs([{"a": 1}])
    journal.path.unlink()
    with pytest.raises(BadStorage, match=r"journal\.log: is gone, as when its folder was moved or deleted"):
        journal.append_logs([{"b": 2}])
    with pytest.raises(BadStorage, match=r"journal\.log: is gone"):
        list(journal.read_logs(0))
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.timeout(60)
def test_the_lock_of_a_writer_that_was_killed_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a relative path, as studies have: Optuna never finds such a lock too old."""
    monkeypatch.chdir(tmp_path)
    path = Path("runs") / "journal.log"
    journal = Journal(path)
    journal.append_logs([{"a": 1}])
    for left in (str(path), str(path.absolute())):
        JournalFileSymlinkLock(left).acquire()
        journal = Journal(path)
        journal.append_logs([{"b": 2}])
    assert list(journal.read_logs(0)) == [{"a": 1}, {"b": 2}, {"b": 2}]


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
