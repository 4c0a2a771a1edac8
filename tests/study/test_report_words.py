"""What a report says where a wrong word would mislead: counts, zeros, commands, and what is left out."""

import json
import re
from dataclasses import replace
from shutil import copytree

import pytest
from parsed_page import Parsed
from stored_studies import CUT, FAIL, FULL, Stored

from core.durable import write_json
from study.figures.scores import SHOWN
from study.folder import StudyFolder
from study.page.behind import behind_figures
from study.page.chosen import audit
from study.page.compared import compared, comparison
from study.page.document import page
from study.page.procedure import procedure
from study.page.searched import searched_section
from study.page.spent import cost_in_words
from study.page.troubles import warnings_of
from study.page.words import figure, interval
from study.records import read_study


def test_the_slices_of_a_role_are_those_of_its_subjects(stored: Stored) -> None:
    """A training table has the slices of the subjects that the probe holds out."""
    stored.search([(FULL, 4)] * 2)
    stored.decide()
    best = json.loads(stored.folder.best.read_text())
    best["subjects"]["train"] = best["subjects"]["train"][:3]
    write_json(stored.folder.best, best)
    rows = re.findall(
        r'<th scope="row"[^>]*>(\w+)</th>.*?<td[^>]*>([\d,]+)</td><td[^>]*>([\d,]+)</td></tr>',
        str(audit(read_study(stored.folder))),
    )
    assert rows == [("train", "3", "6"), ("probe", "4", "64"), ("test", "4", "16")]


def test_commands_can_be_copied_whatever_the_folder_is_called(stored: Stored) -> None:
    stored.search([(FULL, 4)] * 2)
    stored.decide()
    named = stored.folder.root.with_name("it's mine")
    copytree(stored.folder.root, named)
    text = Parsed(page(read_study(StudyFolder(named)))).text
    quoted = f"'{named.parent}/it'\"'\"'s mine'"
    assert text.count(f"python -m core.train --best {quoted}") >= 2  # where it is not tested, and to do it again
    assert f"python -m study.report {quoted}" in text


def test_one_is_one(stored: Stored) -> None:
    stored.search([(FULL, 4)])
    text = Parsed(page(read_study(stored.folder))).text
    assert "Search over small, 1 training ended." in text
    assert "Full budget: 1 trial is too few, 6 are needed." in text


def test_one_subject_and_one_candidate(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    assert record.evaluation is not None
    assert record.space is not None
    test = record.evaluation["test"] | {"subjects": ["data/test-0"]}
    plan = replace(record.space.study, top=1)
    record = replace(record, evaluation=record.evaluation | {"test": test}, space=replace(record.space, study=plan))
    assert "The test table has 1 subject: its intervals are rough." in warnings_of(record)
    assert "The best configuration, full-budget" in procedure(record)


def test_nothing_has_a_sign_before_a_zero() -> None:
    assert figure(-0.0001) == "0.000"
    around = str(interval({"estimate": -0.0001, "low": -0.0003, "high": 0.2}))
    below = str(interval({"estimate": -0.1, "low": -0.3, "high": -0.0001}))
    assert [re.sub("<[^>]*>", "", text) for text in (around, below)] == [
        "0.000 [0.000, 0.200]",
        "-0.100 [-0.300, 0.000]",
    ]


@pytest.mark.parametrize(
    ("ends", "reduction", "words"),
    [
        ([(FULL, 4), (CUT, 1)], 3, "Early stopping ended 1 of 2 trials and saved 3 epochs of 8."),
        ([(FULL, 4), (FAIL, 0)], 3, "Early stopping ended no trial."),
        ([(FULL, 4)], 1, "Early stopping was off."),
    ],
)
def test_what_early_stopping_did(stored: Stored, ends: list, reduction: int, words: str) -> None:  # type: ignore[type-arg]
    stored.search(ends)
    record = read_study(stored.folder)
    assert record.space is not None
    plan = replace(record.space.study, reduction=reduction)
    record = replace(record, space=replace(record.space, study=plan))
    assert cost_in_words(record).startswith(words)
    assert ("at the first rung every trial counts" in searched_section(record).body) == (reduction > 1)


def test_a_stopped_trial_may_lie_above_the_preset(stored: Stored) -> None:
    stored.search([(FULL, 4), (CUT, 3)])
    assert (
        "At full budget no trial of the search beat the preset&#x27;s own"
        in searched_section(read_study(stored.folder)).body
    )


def test_detectors_whose_scores_are_not_drawn_are_counted(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    assert record.evaluation is not None
    assert "Shown are the first" not in behind_figures(record)
    first, *others = record.evaluation["entries"]
    more = [first | {"name": f"arm {number}"} for number in range(SHOWN)]
    record = replace(record, evaluation=record.evaluation | {"entries": [first, *more, *others]})
    assert f"Shown are the first {SHOWN} of {SHOWN + 2} detectors." in behind_figures(record)


def test_a_method_without_masks_is_named_by_its_kind_beside_others(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    assert record.best is not None
    vae = {**record.best["config"], "detector": {"kind": "vae"}}
    other = replace(record, best=record.best | {"config": vae})
    arm = replace(record, best=record.best | {"verdict": record.best["verdict"] | {"arm": "brush"}})
    figures = str(comparison(compared([record, other, arm]))[1].body)
    assert re.findall(r'<td class="words">([^<]+)</td>', figures) == ["trial 6, brush masks", "trial 6, vae", "brush"]
