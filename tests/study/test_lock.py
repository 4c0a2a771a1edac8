"""One driver per study: who is refused, who is taken over, and that no clock decides."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadStudy
from study import lock
from study.lock import LockFile, LockObject, StudyLock
from study.processes import this_process


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.05)


def held_by(folder: Path, **holder: Any) -> Path:
    file = folder / "driver.lock"
    file.write_text(json.dumps({"host": "elsewhere", "boot": "another", "pid": 1, "started": 1, "token": "t"} | holder))
    return file


def test_it_is_held_once_and_given_back(tmp_path: Path) -> None:
    lost = threading.Event()
    with StudyLock(tmp_path, lost):
        with pytest.raises(BadStudy, match=f"process {os.getpid()} on .* carries this study out"):
            StudyLock(tmp_path, lost).__enter__()
        assert (tmp_path / "driver.lock").exists()
    assert list(tmp_path.iterdir()) == []
    with StudyLock(tmp_path, lost):
        pass
    assert not lost.is_set()


def test_a_process_that_is_gone_is_taken_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = this_process()
    held_by(tmp_path, boot=here["boot"], host=here["host"], pid=here["pid"], started=(here["started"] or 1) - 1)
    with StudyLock(tmp_path, threading.Event()):
        assert f"took over from process {here['pid']} on {here['host']}, which is gone" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_holder_elsewhere_lives_while_it_touches_the_lock(tmp_path: Path) -> None:
    """Its touches carry any time, since its clock may be wrong, or go backwards."""
    file = held_by(tmp_path)
    ended = threading.Event()

    def touch() -> None:
        moment = 10_000
        while not ended.wait(0.02):
            moment -= 1
            os.utime(file, (moment, moment))

    elsewhere = threading.Thread(target=touch)
    elsewhere.start()
    try:
        with pytest.raises(BadStudy, match="process 1 on elsewhere"):
            StudyLock(tmp_path, threading.Event()).__enter__()
    finally:
        ended.set()
        elsewhere.join()
    with StudyLock(tmp_path, threading.Event()):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_lock_cut_short_by_a_crash_is_taken_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "driver.lock").write_text(text)
    with StudyLock(tmp_path, threading.Event()):
        assert (tmp_path / "driver.lock").read_text() != text
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_cannot_be_written_is_not_held(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LockFile(tmp_path / "nowhere" / "driver.lock").take({"token": "t"})


def test_who_is_refused_at_one_place_keeps_no_other(tmp_path: Path) -> None:
    """As on object storage, where a study has a lock on this machine besides."""
    file = held_by(tmp_path, **this_process())
    refused = StudyLock(tmp_path, threading.Event())
    refused._places.insert(0, LockFile(tmp_path / "first.lock"))
    with pytest.raises(BadStudy, match="carries this study out"):
        refused.__enter__()
    assert list(tmp_path.iterdir()) == [file]


def test_of_two_drivers_that_find_the_same_dead_one_only_one_takes_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is held up between finding the dead holder's lock and moving it away."""
    place = LockFile(held_by(tmp_path))
    dead = place.holder()
    assert dead is not None
    first, rename = {"host": "here", "pid": 2, "token": "first"}, Path.rename

    def held_up(path: Path, target: Path) -> Path:
        monkeypatch.undo()
        assert place.remove(dead)
        assert place.take(first)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", held_up)
    assert not place.remove(dead)
    assert place.holder() == first
    assert place.touch(first)
    assert list(tmp_path.iterdir()) == [tmp_path / "driver.lock"]


def test_touches_are_seen_past_what_nfs_remembers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client answers stat from its cache, with actimeo=600 for ten minutes; a file that is opened is asked for."""
    mine = {"host": "here", "pid": 1, "token": "mine"}
    place = LockFile(tmp_path / "driver.lock")
    assert place.take(mine)
    remembered = place.path.stat()
    monkeypatch.setattr(Path, "stat", lambda _: remembered)
    before = place.touched()
    os.utime(place.path, ns=(1, 1))
    assert place.touched() != before


def test_on_object_storage_who_was_pushed_out_stops_before_the_other_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two find a dead one's lock; one takes it over while the other is held up between its look and the deletion."""
    path, stored = tmp_path / "lock", dict[Path, bytes]()
    dead, first, second = ({"host": "here", "pid": 1, "token": name} for name in ("dead", "first", "second"))
    one, other = LockObject(path), LockObject(path)
    waited: list[float] = []
    touches: list[bool] = []

    def held_up(which: Path) -> None:
        monkeypatch.setattr(lock, "withdraw", stored.pop)
        assert one.remove(dead)
        assert one.take(first)
        waited.clear()
        stored.pop(which)

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if sum(waited) > lock.BEAT:  # by then the first one has touched its lock
            touches.append(one.touch(first))

    monkeypatch.setattr(lock, "BEAT", 5.0)
    monkeypatch.setattr(lock, "read", stored.get)
    monkeypatch.setattr(lock, "write", stored.__setitem__)
    monkeypatch.setattr(lock, "withdraw", held_up)
    monkeypatch.setattr(lock.time, "sleep", sleep)
    stored[path] = json.dumps(dead).encode()
    assert other.remove(dead)
    touches.clear()
    assert other.take(second)
    assert touches == [False]


def test_who_was_taken_over_is_told_and_leaves_the_new_lock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost = threading.Event()
    with StudyLock(tmp_path, lost):
        file = held_by(tmp_path)
        assert lost.wait(5)
    assert file.exists()
    assert capsys.readouterr().err == f"{tmp_path}: another driver has taken this study over; stopping\n"


def test_a_folder_that_was_moved_is_no_other_driver(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost, folder = threading.Event(), tmp_path / "mine"
    with StudyLock(folder, lost):
        folder.rename(tmp_path / "elsewhere")
        assert lost.wait(5)
    said = capsys.readouterr().err
    assert said == f"{folder}: its lock is gone, as when its folder was moved or deleted; stopping\n"
    assert not folder.exists()
