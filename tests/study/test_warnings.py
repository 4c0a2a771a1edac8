"""What weakens a study's answer is said beside it."""

import json
from dataclasses import replace

from stored_studies import Stored

from core.best import find_best, is_of
from core.durable import write_json
from core.retraining import is_current
from study.figures.detectors import detectors_info
from study.page.tested import beside_controls
from study.page.troubles import warnings_of
from study.page.verdict import verdict_section
from study.records import read_study


def test_a_control_that_wins_is_not_hidden(finished: Stored) -> None:
    path = finished.folder.retrained / "evaluation.json"
    evaluation = json.loads(path.read_text())
    evaluation["differences"]["square"] |= {"estimate": -0.2, "low": -0.3, "high": -0.1}
    write_json(path, evaluation)
    record = read_study(finished.folder)
    assert any("the control square is clearly better" in warning for warning in warnings_of(record))
    assert "clearly below its control square (-0.200 [-0.300, -0.100])" in verdict_section(record).body


def test_how_often_the_winner_is_compared_is_told(finished_once: Stored) -> None:
    evaluation = read_study(finished_once.folder).evaluation
    assert evaluation is not None
    assert "looks" not in beside_controls(detectors_info(evaluation))
    entry = next(entry for entry in evaluation["entries"] if entry["name"] == "square")
    gaps = evaluation["differences"]
    more = {
        "entries": [*evaluation["entries"], entry | {"name": "circle"}],
        "differences": gaps | {"circle": gaps["square"]},
    }
    told = beside_controls(detectors_info(evaluation | more))
    assert told.endswith(". Nothing is corrected for 2 looks.")


def test_few_families_to_judge_by_are_a_warning(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    assert any("rests on ellipse-swell and foci-grey alone" in warning for warning in warnings_of(record))
    more = replace(record, definition=replace(record.definition, families=("a", "b", "c")))
    assert not any("rests on" in warning for warning in warnings_of(more))


def test_a_probe_of_few_subjects_and_a_test_that_was_opened_again_are_warnings(finished: Stored) -> None:
    def told() -> str:
        return " ".join(warnings_of(read_study(finished.folder)))

    assert "The probe is made of 4 subjects: the verdict's intervals are over seeds" in told()
    best = json.loads(finished.folder.best.read_text())
    best["subjects"]["probe"].append("one/more")
    write_json(finished.folder.best, best)
    assert "The probe is made of" not in told()
    assert "The test table was opened" not in told()
    path = finished.folder.retrained / "evaluation.json"
    evaluation = json.loads(path.read_text())
    evaluation["test"]["opened"] = 2
    write_json(path, evaluation)
    assert "opened 2 times, as the winner was trained again, or another found" in told()


def test_test_results_of_another_verdict_are_named(finished: Stored) -> None:
    def named() -> bool:
        return any("of another verdict" in warning for warning in warnings_of(read_study(finished.folder)))

    finished.folder.best.touch()
    assert not named()
    best = json.loads(finished.folder.best.read_text())
    write_json(finished.folder.best, best | {"seeds": [7]})
    assert named()
    write_json(finished.folder.best, best | {"controls": {}})
    assert named()


def test_a_verdict_in_other_words_leaves_the_test_unopened(finished: Stored) -> None:
    """As a search that a newer version repeats: what was tested is the same."""
    best = json.loads(finished.folder.best.read_text())
    write_json(finished.folder.best, best | {"verdict": best["verdict"] | {"sentence": "anew"}, "more": True})
    found = find_best(str(finished.folder.root))
    assert is_current(found)
    evaluation = json.loads((finished.folder.retrained / "evaluation.json").read_text())
    for role in ("train", "probe"):
        told = {role: best["tables"][role]}
        assert is_of(evaluation | {"tables": told}, found.data)
        assert not is_of(evaluation | {"tables": {role: told[role] | {"digest": "0" * 32}}}, found.data)
    assert not any("of another verdict" in warning for warning in warnings_of(read_study(finished.folder)))
    other = {role: table | {"digest": "0" * 32} for role, table in best["tables"].items()}
    for changed in (
        {"config": best["config"] | {"score": "mean"}}, {"seeds": [7]}, {"controls": {}}, {"tables": other},
    ):  # fmt: skip
        write_json(finished.folder.best, best | changed)
        assert not is_current(find_best(str(finished.folder.root))), changed
