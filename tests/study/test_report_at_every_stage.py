"""What a report says of a study at every stage of its life, and how its words follow from what happened."""

import html
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from parsed_page import Parsed
from stored_studies import CUT, FAIL, FULL, LIVE, Stored

from core.durable import write_json
from study.lock import Driver, StudyLock
from study.page.chosen import audit, chosen_section
from study.page.document import page
from study.page.verdict import headline, verdict_section
from study.records import read_study


def nothing(_: Stored) -> None: ...


def one_trial(stored: Stored) -> None:
    stored.search([(FULL, 4)])


def running(stored: Stored) -> None:
    stored.search([(FULL, 4), (LIVE, 2)])


def searched(stored: Stored) -> None:
    stored.search([(FULL, 4)] * 9)


def all_failed(stored: Stored) -> None:
    stored.search([(FAIL, 0)] * 3)


def all_stopped(stored: Stored) -> None:
    stored.search([(CUT, 1)] * 3)


def decided(stored: Stored) -> None:
    stored.search([(FULL, 4)] * 3)
    stored.decide()


def one_candidate(stored: Stored) -> None:
    stored.search([(FULL, 4), (CUT, 1)])
    stored.decide()


def untested(stored: Stored) -> None:
    decided(stored)
    write_json(stored.folder.retrained / "evaluation.json", {"seeds": [1], "shipped": {"seed": 1}, "test": None})


def tables_gone(stored: Stored) -> None:
    decided(stored)
    for table in (stored.train, stored.probe, stored.test):
        table.path.unlink()


@pytest.mark.parametrize(
    ("bring", "state", "words"),
    [
        (nothing, "Not decided yet", "No trial has begun"),
        (one_trial, "Not decided yet", "1 of 9 trials have ended; the same search command goes on"),
        (running, "Not decided yet", "1 of 9 trials have ended"),
        (searched, "Not decided yet", "The search has ended, no replicate has begun; the same search command"),
        (all_failed, "No verdict", "No trial reached its full budget: 3 failed"),
        (all_stopped, "No verdict", "No trial reached its full budget: early stopping ended all of them."),
        (decided, "A clear winner", "Not retrained yet: python -m core.train --best"),
        (one_candidate, "Only one candidate", "there is no runner-up, so no lead can be measured"),
        (untested, "A clear winner", "Not tested: the study names no test table"),
        (tables_gone, "A clear winner", "They cannot be drawn"),
    ],
)
def test_what_is_not_there_is_said(stored: Stored, bring: Callable[[Stored], None], state: str, words: str) -> None:
    bring(stored)
    record = read_study(stored.folder)
    assert headline(record)[0] == state
    parsed = Parsed(page(record))
    assert state in parsed.text
    assert words in parsed.text


@pytest.mark.parametrize(
    ("bring", "words"),
    [
        (nothing, "no trial has begun."),
        (all_failed, "3 of 9 trials have ended."),
        (searched, "the search has ended, no replicate has begun."),
    ],
)
def test_a_study_that_runs_is_told_as_running(stored: Stored, bring: Callable[[Stored], None], words: str) -> None:
    bring(stored)
    with StudyLock(stored.folder.root, threading.Event()):
        record = read_study(stored.folder)
    now = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    text = Parsed(page(replace(record, read=now))).text
    assert f"Still running: {words} This page is a snapshot of 2026-01-02 03:04 UTC." in text
    assert "goes on where it stopped" not in text
    elsewhere = replace(record, driver=Driver("process 1 on another", None))
    assert headline(elsewhere) == ("Perhaps still running", "open")
    gone = replace(record, driver=Driver("process 1 here, which is gone", False))
    assert "snapshot" not in verdict_section(gone).body


def test_replicates_that_run_are_counted(stored: Stored) -> None:
    decided(stored)
    record = replace(read_study(stored.folder), best=None, driver=Driver("process 1 here", True))
    live = tuple(replace(trial, state=LIVE) for trial in record.replicates[:2])
    record = replace(record, replicates=live + record.replicates[2:])
    assert "Still running: the search has ended, 4 of 6 replicates have." in verdict_section(record).body


def test_a_verdict_that_is_searched_beyond_is_of_before(finished_once: Stored) -> None:
    record = replace(read_study(finished_once.folder), driver=Driver("process 1 here", True))
    assert "Still running: this verdict is of before." in verdict_section(record).body
    over = replace(record, trials=record.trials[:8])
    assert "Still running" not in verdict_section(over).body  # the lock is given up after the verdict is written


def test_a_tie_is_no_clear_winner(stored: Stored) -> None:
    decided(stored)
    best = json.loads(stored.folder.best.read_text())
    best["verdict"] |= {"clear": False, "sentence": "No clear winner: trial 2 has mean 0.5."}
    write_json(stored.folder.best, best)
    body = verdict_section(read_study(stored.folder)).body
    assert body.count("No clear winner") == 2


def test_a_verdict_that_knew_the_runner_up_alone_is_told_as_that(stored: Stored) -> None:
    decided(stored)
    best = json.loads(stored.folder.best.read_text())
    del best["verdict"]["not_apart"]
    write_json(stored.folder.best, best)
    assert headline(read_study(stored.folder))[0] == "A clear winner"  # there were only two
    best["replicates"].append(best["replicates"][1])
    write_json(stored.folder.best, best)
    assert headline(read_study(stored.folder))[0] == "Ahead of the runner-up"
    assert "compared the winner with the runner-up alone" in verdict_section(read_study(stored.folder)).body


def test_a_leak_is_shouted(stored: Stored) -> None:
    decided(stored)
    best = json.loads(stored.folder.best.read_text())
    best["subjects"]["test"] += best["subjects"]["train"][:1]
    write_json(stored.folder.best, best)
    assert "The split leaks" in audit(read_study(stored.folder))


def test_the_procedure_says_how_often_the_test_table_was_opened(finished: Stored) -> None:
    record = read_study(finished.folder)
    assert record.evaluation is not None
    for evaluation, words in (
        (record.evaluation, "this study opened it once"),
        (record.evaluation | {"test": record.evaluation["test"] | {"opened": 3}}, "this study opened it 3 times"),
        (None, "this study has not opened it yet"),
    ):
        body = chosen_section(replace(record, evaluation=evaluation)).body
        assert f"Only then may the test table be opened; {words}." in body
        assert f"for the test, after the choice; {words}" in body
    without = replace(record, definition=replace(record.definition, test=None))
    assert "The study names no test table, so the choice is not tested." in chosen_section(without).body


def test_a_control_is_told_as_what_it_is(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    assert record.space is not None
    varied = "square (the winner with what the space sets under [controls])"
    assert f"{varied}." in chosen_section(record).body
    both = replace(record.space, controls=record.space.controls | {"paper": "base"})
    body = chosen_section(replace(record, space=both)).body
    assert f"{html.escape(varied)}; paper (the preset with the space" in body
    assert record.best is not None
    same = record.best | {"controls": {"square": record.best["config"], "paper": {}}}
    assert (
        "Square would be the winner itself, so there is no such row." in chosen_section(replace(record, best=same)).body
    )
    none = replace(record.space, controls={})
    assert "Beside the winner stands the floor" in chosen_section(replace(record, space=none)).body


def test_the_title_counts_every_training_that_ended(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    assert "Search over small, 14 trainings ended." in page(record)
    assert "Search over small, 22 trainings ended." in page(replace(record, arm_searches={"tuned": record.trials}))
