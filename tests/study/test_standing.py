"""--list and --status: what is said of studies at every stage, from their files alone."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from stored_studies import CUT, FULL, MIXED, SPACE, Stored

from core.errors import BadStudy
from study.folder import StudyFolder
from study.ledger import open_study
from study.listing import question, tell_spaces, tell_studies
from study.lock import LockFile, StudyLock, driver
from study.processes import boot
from study.records import read_study
from study.settings import recorded
from study.shipped_spaces import space_names
from study.standing import _last, ago, standing, tell


def test_a_study_that_has_not_begun_is_only_defined(stored: Stored) -> None:
    found = standing(stored.folder)
    assert (found.state, found.phase, found.best, found.driver) == ("defined", "search", None, "")
    assert [phase.total for phase in found.phases] == [9, 6]
    assert found.budget == 4


def test_an_interrupted_search_is_counted(stored: Stored) -> None:
    stored.search(MIXED)
    found = standing(stored.folder)
    search, replicates = found.phases
    assert (search.kept, search.stopped, search.failed, search.unfinished) == (3, 3, 2, 1)
    assert search.epochs == sum(epochs for _, epochs in MIXED)
    assert replicates.ended == 0
    assert (found.state, found.phase) == ("stopped", "search")
    assert found.best == (6, pytest.approx(0.46))
    assert found.last == pytest.approx(stored.folder.journal.stat().st_mtime)


def test_the_phase_is_the_first_that_is_not_done(stored: Stored, capsys: pytest.CaptureFixture[str]) -> None:
    stored.search([(FULL, 4)] * 3 + [(CUT, 1)] * 6)
    found = standing(stored.folder)
    assert (found.phase, found.phases[0].kept, found.phases[0].stopped) == ("replicates", 3, 6)
    stored.decide()
    found = standing(stored.folder)
    assert (found.state, found.phases[1].ended) == ("decided", 6)
    assert "mean" in found.verdict
    tell(found)
    assert f"  verdict      {found.verdict}" in capsys.readouterr().out


def test_an_extended_study_shows_the_trials_that_it_has(stored: Stored) -> None:
    stored.search([(CUT, 1)] * 12)
    assert standing(stored.folder).phases[0].total == 12


def test_the_trials_that_were_asked_for_count_and_not_the_spaces(stored: Stored) -> None:
    stored.search([(FULL, 4)] * 4)
    stored.ask(4)
    stored.decide()
    found = standing(stored.folder)
    assert (found.state, found.phase, found.phases[0].total) == ("decided", "replicates", 4)
    stored.ask(12)
    found = standing(stored.folder)
    assert (found.state, found.phase) == ("stopped", "search")
    assert (found.phases[0].ended, found.phases[0].total) == (4, 12)


def test_a_driver_is_seen_while_it_lives(stored: Stored, capsys: pytest.CaptureFixture[str]) -> None:
    with StudyLock(stored.folder.root, threading.Event()):
        found = standing(stored.folder)
        assert (found.state, found.driver) == ("running", f"process {os.getpid()} on {os.uname().nodename}")
        tell(found)
    told = capsys.readouterr().out
    assert "driver       process" in told
    assert "search       0 of 9 ended: 0 in full, 0 stopped early, 0 failed; 0 unfinished; 0 epochs scored" in told
    assert driver(stored.folder.root) is None


def test_a_driver_that_is_gone_or_elsewhere_is_told_as_that(stored: Stored) -> None:
    lock = stored.folder.root / "driver.lock"
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        pass
    mine = {"token": "t", "host": "here", "pid": ended.pid, "started": 1}
    assert LockFile(lock).take(mine | {"boot": boot()})
    assert "which is gone" in standing(stored.folder).driver
    assert standing(stored.folder).state == "defined"
    lock.write_text(json.dumps(mine | {"boot": "another machine"}))
    assert standing(stored.folder).state == "perhaps running"


def test_a_space_that_cannot_be_read_today_still_shows_its_trials(
    stored: Stored, capsys: pytest.CaptureFixture[str]
) -> None:
    stored.search(MIXED)
    file = stored.folder.definition_file
    file.write_text(file.read_text().replace("loss.alpha", "loss.of_another_age"))
    found = standing(stored.folder)
    assert found.phases[0].total is None
    assert found.phases[0].kept == 3
    tell(found)
    assert "search       8 ended: 3 in full, 3 stopped early, 2 failed; 1 unfinished;" in capsys.readouterr().out


def test_the_list_has_every_study_and_says_which_is_damaged(
    finished: Stored, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = finished.folder.root.parent
    (runs / "damaged").mkdir()
    (runs / "damaged" / "study.json").write_text("{}")
    (runs / "slices").mkdir()
    tell_studies(runs)
    said = capsys.readouterr().out
    (row,) = [line for line in said.splitlines() if line.split()[:1] == ["small"]]
    # The last trial of the search was interrupted.
    assert row.split()[:4] == ["small", "stopped", "search", "8/9"]
    assert "damaged/study.json" in said
    assert "slices" not in said.replace("holds", "")


def test_a_comment_that_speaks_of_set_is_no_setting(stored: Stored) -> None:
    file = stored.folder.definition_file
    definition = stored.folder.definition()
    for comment in ("# --set study.trials = 20 makes it longer\n", "# --set study.trials = 20\n"):
        file.unlink()
        stored.folder.define(replace(definition, space=recorded(SPACE + comment, {})))
        assert standing(stored.folder).phases[0].total == 9
        file.unlink()
        stored.folder.define(replace(definition, space=recorded(comment + SPACE + comment, {"study.trials": 12})))
        assert standing(stored.folder).phases[0].total == 12
        record = read_study(stored.folder)
        assert record.space is not None
        assert record.space.study.trials == 12


def test_an_ablation_whose_text_begins_with_its_arms_is_one(stored: Stored) -> None:
    text = '[arms]\na = {"loss.alpha" = 0.0}\nb = {"loss.alpha" = 1.0}\n'
    definition = replace(stored.folder.definition(), space=text)
    stored.folder.definition_file.unlink()
    stored.folder.define(definition)
    assert [(phase.name, phase.total) for phase in standing(stored.folder).phases] == [("replicates", 10)]


@pytest.mark.parametrize("damage", [b"\x00" * 9, b'{"op_code": 0,,', b"\xff\xfe", b"3"])
def test_a_damaged_journal_is_told_by_its_line_and_hides_no_other_study(
    damage: bytes, finished: Stored, capsys: pytest.CaptureFixture[str]
) -> None:
    other = finished.folder.root.with_name("other")
    copytree(finished.folder.root, other)
    lines = (other / "journal.log").read_bytes().splitlines()
    lines[4] = damage
    (other / "journal.log").write_bytes(b"\n".join(lines) + b"\n")
    tell_studies(finished.folder.root.parent)
    said = capsys.readouterr().out
    assert "small" in said
    assert "other/journal.log: line 5 is damaged; expected an event of an Optuna journal" in said
    for read in (read_study, standing, lambda folder: open_study(folder.journal, "search")):
        with pytest.raises(BadStudy, match=r"journal\.log: line 5 is damaged"):
            read(StudyFolder(other))


def test_without_a_journal_file_the_last_event_is_the_newest_of_the_trials(stored: Stored) -> None:
    """As in a database: times are those of the trials."""
    stored.search(MIXED)
    trials = list(read_study(stored.folder).trials)
    times = [time.timestamp() for trial in trials for time in (trial.started, trial.ended) if time]
    assert len(set(times)) > 1
    stored.folder.journal.unlink()
    assert _last(stored.folder, trials) == max(times)
    assert _last(stored.folder, []) is None


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell_studies(tmp_path / "runs")
    assert "holds no study" in capsys.readouterr().out


def test_every_shipped_space_is_listed_with_its_question(capsys: pytest.CaptureFixture[str]) -> None:
    tell_spaces()
    said = capsys.readouterr().out
    for name in space_names():
        assert f"  {name:<12}{question(name)}" in said
        assert len(question(name)) > 30


def test_what_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadStudy, match=r"holds no study\.json"):
        standing(StudyFolder(tmp_path))


@pytest.mark.parametrize(("seconds", "words"), [(5, "5 s ago"), (300, "5 min ago"), (8000, "2 h ago")])
def test_ages_are_words(seconds: int, words: str) -> None:
    assert ago(time.time() - seconds) == words
