"""The winner post-processed is a row of its own wherever evaluation.json is read, and nowhere a control."""

import json
from copy import deepcopy
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from stored_studies import SEEDS, Stored

from core.console import out
from core.durable import write_json
from core.model_card import model_card
from core.results import POSTPROCESSED, postprocessing_words
from core.results_table import results_table
from study.figures.detectors import detectors_info
from study.page import tested
from study.page.troubles import warnings_of
from study.page.verdict import verdict_section
from study.records import read_study

AP = "pixel.average_precision"
STEPS = {"positive": True, "quantile": 0.0, "erosion": 3, "median": 5, "smallest": 10, "threshold": -1.5}
NOTHING = {"positive": False, "quantile": 0.0, "erosion": 0, "median": 1, "smallest": 0, "threshold": 0.0}


def _with_postprocessed(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Clearly better than the raw winner; the entry is written last, where no reader may rely on the order."""
    raw = evaluation["entries"][0]
    after = deepcopy(raw) | {"name": POSTPROCESSED, "kind": "postprocessed"}
    after["intervals"][AP] = {"estimate": 0.987, "low": 0.98, "high": 0.99}
    after["postprocessing"] = {
        "chosen_on": "probe",
        "by_seed": [
            {"seed": seed, "settings": steps, "on_probe": {"raw": 0.25, "chosen": 0.5, "tried": 10}}
            for seed, steps in zip(SEEDS, (STEPS, *[NOTHING] * (len(SEEDS) - 1)), strict=True)
        ],
    }
    lead = {"estimate": -0.3, "low": -0.4, "high": -0.2}
    return evaluation | {
        "entries": [*evaluation["entries"], after],
        "differences": evaluation["differences"] | {POSTPROCESSED: lead},
    }


@pytest.fixture
def old(finished: Stored) -> dict[str, Any]:
    return json.loads((finished.folder.retrained / "evaluation.json").read_text())


def _terminal(evaluation: dict[str, Any]) -> str:
    console = Console(file=StringIO(), width=300)
    console.print(results_table(evaluation, from_score="mean"))
    return console.file.getvalue()


def test_the_steps_are_told_in_words(old: dict[str, Any]) -> None:
    words = postprocessing_words(_with_postprocessed(old)["entries"])
    first = f"under {SEEDS[0]}, positive, erosion 3, median 5, smallest 10, threshold -1.5 (pixel AP 0.250 to 0.500)"
    assert words.startswith(
        f"Post-processing was chosen on the probe for each seed: {first}; under {SEEDS[1]}, nothing"
    )
    assert postprocessing_words(old["entries"]) == ""


def test_no_line_of_the_table_is_broken_in_a_log(old: dict[str, Any]) -> None:
    """With a chosen score of its own it has five columns of intervals."""
    evaluation = _with_postprocessed(old)
    for entry in evaluation["entries"]:
        for quantity in ("auroc", "matched_auroc"):
            entry["intervals"][f"sample.foreground_top.{quantity}"] = {"estimate": 0.5, "low": 0.25, "high": 0.75}
    with out.capture() as captured:
        out.print(results_table(evaluation, from_score="foreground_top"))
    rows = [line for line in captured.get().splitlines() if "[" in line]
    assert len(rows) == len(evaluation["entries"])
    assert all(row.count("[") == row.count("]") for row in rows)


def test_the_terminals_table_has_both(old: dict[str, Any]) -> None:
    lines = _terminal(_with_postprocessed(old)).splitlines()
    (raw,) = (line for line in lines if line.strip().startswith("winner  "))
    (after,) = (line for line in lines if line.strip().startswith(f"{POSTPROCESSED}  "))
    assert f"{old['entries'][0]['intervals'][AP]['estimate']:.3f} [" in raw
    assert "0.987 [0.980, 0.990]" in after
    assert "0.987" not in raw
    assert "chosen on the probe" in _terminal(_with_postprocessed(old))
    assert "ost-process" not in _terminal(old)


def test_the_card_has_both_and_says_which_the_weights_give(finished: Stored, old: dict[str, Any]) -> None:
    best = json.loads(finished.folder.best.read_text())
    before, after = model_card(best, old), model_card(best, _with_postprocessed(old))
    assert "ost-process" not in before
    assert set(before.splitlines()) <= set(after.splitlines())
    precision = after[after.index("| average precision |") :]
    assert f"| {POSTPROCESSED} | 0.987 (0.980 to 0.990) |" in precision
    assert "chosen on the probe" in after
    assert "give the raw map, that of the row `winner`" in after


def test_the_report_shows_it_as_a_row_and_never_as_a_control(finished: Stored, old: dict[str, Any]) -> None:
    path = finished.folder.retrained / "evaluation.json"
    pages = []
    for evaluation in (old, _with_postprocessed(old)):
        write_json(path, evaluation)
        record = read_study(finished.folder)
        pages.append((verdict_section(record).body, warnings_of(record), tested.tested_section(record).body))
    assert pages[0][:2] == pages[1][:2]  # verdict and warnings are those of the raw winner
    assert "ost-process" not in pages[0][2]
    info = detectors_info(_with_postprocessed(old))
    assert [row.label for row in info.detectors] == ["winner", POSTPROCESSED, "square", "floor: position"]
    assert [row.is_control for row in info.detectors] == [False, False, True, False]
    assert tested.beside_controls(info) == tested.beside_controls(detectors_info(old))
    shown = pages[1][2]
    assert "0.987" in shown
    assert "own row is of its raw maps and remains the result" in shown
    assert shown.count(f">{POSTPROCESSED}") + shown.count(f"{POSTPROCESSED} <") >= 2  # of pixels and of slices
