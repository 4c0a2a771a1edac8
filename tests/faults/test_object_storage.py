"""A study on object storage: driven by one machine, killed, gone on with by another that has nothing of it."""

import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import optuna
import pytest

from core import mirror
from core.errors import BadStorage, BadStudy, Overtaken
from core.mirror import names, place, publish, withdraw
from core.slices.table import SliceTable
from study import lock, segments
from study.folder import Definition, StudyFolder, TableReference
from study.journal import Journal, reading
from study.ledger import open_study
from study.lock import StudyLock
from study.segments import Segments
from study.storage import require_whole
from tests.programs import SPACE, Place, finished_trials, kill


@pytest.fixture
def journal(bucket: str) -> Path:
    return place(f"{bucket}/runs/mine/journal.log")


def values(journal: Path) -> list[float | None]:
    """What the trials of a search in the bucket scored."""
    storage = reading(journal)
    assert storage is not None
    return [trial.value for trial in optuna.load_study(study_name="search", storage=storage).trials]


def test_a_journal_is_read_on_another_machine_as_it_was_written(
    journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "FULL", 500)
    study = open_study(journal, "search")
    for value in range(10):
        study.tell(study.ask(), value)
    assert len(names(journal.with_name("journal.log.d"))) > 2
    content = journal.read_bytes()
    assert values(journal) == list(range(10))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "machine-2"))
    other = place(mirror.SCHEME + "://" + str(journal).split("/s3/")[1])
    assert not other.exists()
    again = open_study(other, "search")
    assert other.read_bytes().startswith(content)
    again.tell(again.ask(), 10)
    assert values(other) == list(range(11))


def test_an_event_that_could_not_be_uploaded_did_not_happen(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Journal(journal)
    backend.append_logs([{"a": 1}])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    server = mirror.filesystem()
    mirror.filesystem.cache_clear()
    with pytest.raises(BadStorage, match="Could not connect"):
        backend.append_logs([{"b": 2}])
    monkeypatch.setattr(mirror, "filesystem", lambda: server)
    backend.append_logs([{"c": 3}])
    assert list(backend.read_logs(0)) == list(Journal(journal).read_logs(0)) == [{"a": 1}, {"c": 3}]


def test_a_part_that_is_missing_is_told(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "FULL", 10)
    backend = Journal(journal)
    for number in range(3):
        backend.append_logs([{"number": number}])
    withdraw(journal.with_name("journal.log.d") / "000000000013")
    with pytest.raises(BadStudy, match=r"journal.log.d: the part before 000000000026 is missing"):
        Journal(journal)


def recorded(journal: Path) -> list[dict[str, Any]]:
    """The events in the bucket."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "journal.log"
        Segments(journal).read(copy)
        return [json.loads(line) for line in copy.read_bytes().splitlines()]


@pytest.mark.parametrize("full", [1, 1 << 18], ids=["an object for each event", "one object"])
def test_a_driver_that_was_taken_over_overwrites_nothing(
    full: int, bucket: str, journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that wakes up after another has gone on with its study."""
    monkeypatch.setattr(segments, "FULL", full)
    stalled, other = Journal(journal), Segments(journal)
    stalled.append_logs([{"a": 1}])
    other.read(tmp_path / "on-another-machine")
    for event in (b'{"b": 2}\n', b'{"c": 3}\n'):
        other.append(event)
    for _ in range(2):
        with pytest.raises(Overtaken, match=f"{bucket}/runs/mine: another driver has written to this study"):
            stalled.append_logs([{"lost": True}])
    assert recorded(journal) == [{"a": 1}, {"b": 2}, {"c": 3}]
    assert list(stalled.read_logs(0)) == [{"a": 1}]
    with pytest.raises(Overtaken):
        Segments(journal).append(b'{"begins": "a study that is there"}\n')


@pytest.mark.parametrize("full", [1, 1 << 18], ids=["an object for each event", "one object"])
def test_an_upload_whose_answer_was_lost_is_not_taken_for_another_drivers(
    full: int, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "FULL", full)
    backend = Journal(journal)
    backend.append_logs([{"a": 1}])

    def unanswered(path: Path, content: bytes) -> None:
        mirror.write(path, content)
        raise BadStorage("no answer")

    def away(path: Path, content: bytes) -> None:
        raise BadStorage("no connection")

    for write, event in ((unanswered, {"b": 2}), (away, {"tried": "and never arrived"})):
        monkeypatch.setattr(segments, "write", write)
        with pytest.raises(BadStorage, match=r"no answer|no connection"):
            backend.append_logs([event])
    monkeypatch.setattr(segments, "write", mirror.write)
    assert recorded(journal) == [{"a": 1}, {"b": 2}]
    backend.append_logs([{"c": 3}])
    assert recorded(journal) == [{"a": 1}, {"c": 3}] == list(backend.read_logs(0))


def test_a_study_that_lost_its_journal_there_does_not_begin_anew(journal: Path) -> None:
    folder, nowhere = StudyFolder(journal.parent), TableReference("nowhere", "")
    folder.define(Definition("demo", "", nowhere, nowhere, None))
    require_whole(folder)
    Journal(journal).append_logs([{"a": 1}])
    mirror.write(folder.training("search", 0) / "epoch-00001" / "state.json", b"{}")
    require_whole(folder)
    withdraw(journal.with_name("journal.log.d"))
    with pytest.raises(BadStudy, match=r"runs/mine: journal.log.d, the record of its trials, is gone, though search"):
        require_whole(folder)


def test_an_event_costs_one_small_download(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full, event = 200, {"number": 0}
    monkeypatch.setattr(segments, "FULL", full)
    backend, read = Journal(journal), list[int]()

    def counted(path: Path) -> bytes | None:
        content = mirror.read(path)
        read.append(len(content or b""))
        return content

    monkeypatch.setattr(segments, "read", counted)
    for _ in range(40):
        backend.append_logs([event])
    assert len(read) == 40
    assert max(read) < full


def test_drivers_on_two_machines_refuse_each_other(
    bucket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.1)
    monkeypatch.setattr(lock, "SETTLING", 0.1)

    def driver(host: str) -> StudyLock:
        made = StudyLock(place(f"{bucket}/runs/mine"), threading.Event())
        made._mine |= {"boot": host, "host": host}
        del made._places[0]  # the lock on this machine's disk, which another does not see
        return made

    with driver("one") as first:
        with pytest.raises(BadStudy, match=f"{bucket}/runs/mine: process {os.getpid()} on one carries this study out"):
            driver("two").__enter__()
        # It hangs, so it stops touching its lock, and is taken over; when it wakes up it is told.
        first._ended.set()
        first._beating.join()
        with driver("two"):
            assert "on one, which is gone" in capsys.readouterr().out
            first._ended.clear()
            first._beat()
            assert first.lost.is_set()
            said = capsys.readouterr().err
            assert said == f"{bucket}/runs/mine: another driver has taken this study over; stopping\n"
    assert names(place(f"{bucket}/runs/mine/driver")) == []


def finished(journal: Path) -> bool:
    """Whether a trial that has ended is recorded in the bucket."""
    with suppress(KeyError):  # not begun
        return any(value is not None for value in values(journal))
    return False


def test_a_study_goes_on_where_nothing_of_it_is_at_hand(
    bucket: str, tmp_path: Path, healthy: SliceTable, lesioned: SliceTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    for table, name in ((healthy, "train.arrow"), (lesioned, "test.arrow")):
        copy = place(f"{bucket}/{name}")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(table.path.read_bytes())
        publish(copy)
    (tmp_path / "work").mkdir()
    place_1 = Place(tmp_path / "work", healthy, lesioned, SPACE.replace("top = 2", "top = 1"))
    tables = ("--train", f"{bucket}/train.arrow", "--test", f"{bucket}/test.arrow")
    command = place_1.command("study.search", "--space", "tiny.toml", *tables, "--runs", f"{bucket}/runs")
    first = place_1.begin(command)
    # In the bucket: what stands in the driver's own copy alone has not happened yet.
    deadline = time.monotonic() + 400
    while not finished(place(f"{bucket}/runs/tiny/journal.log")):
        assert first.poll() is None, first.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.2)
    kill(first)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "machine-2"))
    place_1.environment["XDG_CACHE_HOME"] = str(tmp_path / "machine-2")
    journal = place(f"{bucket}/runs/tiny/journal.log")
    Journal(journal)
    before = finished_trials(journal)
    assert before
    last = place_1.run(command)
    assert last.returncode == 0, last.stdout + last.stderr
    assert f"study tiny in {bucket}/runs/tiny: goes on" in last.stdout
    assert f"next: python -m core.train --best {bucket}/runs/tiny" in last.stdout
    after = finished_trials(journal)
    assert before.items() <= after.items()
    assert len(after) in (3 + 3, 3 + 3 + 3)  # the preset's own choice is replicated too, if it is not the best
    # Machine 1 was killed, perhaps between writing a checkpoint and uploading it: what it had then stays on its disk.
    assert not list((tmp_path / "machine-2").rglob("epoch-*"))

    place_1.environment["XDG_CACHE_HOME"] = str(tmp_path / "machine-3")
    mine = f"{bucket}/runs/tiny"
    for program in (("core.train", "--best", mine), ("study.report", mine), ("core.evaluate", f"{mine}/retrained")):
        done = place_1.run(place_1.command(*program))
        assert done.returncode == 0, done.stdout + done.stderr
    kept = names(place(f"{bucket}/runs/tiny"))
    assert {"best.json", "report.html", "retrained", "search", "study.json", "trials.parquet"} <= set(kept)
    assert {"model.safetensors", "evaluation.json"} <= set(names(place(f"{bucket}/runs/tiny/retrained")))
