"""Detectors in the report: histograms, sizes of lesions and calibration; the paper's figures in their own columns."""

import json
from dataclasses import replace
from typing import Any

import pytest
from stored_studies import SEEDS, Stored

from core.protocols.beside_paper import FIGURES
from core.protocols.published import PUBLISHED
from study.figures.calibration import calibration_info, draw_calibration
from study.figures.scores import draw_scores, scores_info
from study.figures.sizes import draw_sizes, sizes_info
from study.page.behind import behind_figures, paper_section
from study.records import StudyRecord, read_study


@pytest.fixture(scope="module")
def record(finished_once: Stored) -> StudyRecord:
    return read_study(finished_once.folder)


@pytest.fixture(scope="module")
def entries(record: StudyRecord) -> list[dict[str, Any]]:
    assert record.evaluation is not None
    return list(record.evaluation["entries"])


def test_histograms_are_shares_of_their_class(entries: list[dict[str, Any]]) -> None:
    winner, control = scores_info(entries)
    assert (winner.name, control.name) == ("winner", "square")
    for histogram in (winner.slices, winner.pixels):
        assert sum(histogram.normal) == pytest.approx(1)
        assert sum(histogram.anomalous) == pytest.approx(1)
    assert winner.slices.overlap == 0
    assert 0 < winner.pixels.overlap < 0.5
    assert len(draw_scores((winner, control)).data) == 8
    assert scores_info([{"kind": "floor"}]) == ()


def test_sizes_tell_every_seed(entries: list[dict[str, Any]]) -> None:
    info = sizes_info(entries)
    assert info.sizes == ((56, 56, 8),)
    assert info.labels == ["56 px"]
    assert [one.name for one in info.series] == ["winner", "square", "floor: position"]
    assert [len(info.series[0].values[name][0]) for name in ("average_precision", "sample_auroc")] == [len(SEEDS)] * 2
    assert draw_sizes(info).to_json()
    assert sizes_info([{"kind": "floor"}]).sizes == ()


def test_calibration_is_of_maps_that_are_probabilities(entries: list[dict[str, Any]]) -> None:
    info = calibration_info(entries)
    assert [one.name for one in info] == ["winner", "square"]
    assert sum(pixels for _, _, pixels in info[0].points) == 16 * 32 * 32
    assert draw_calibration(info).to_json()
    assert calibration_info([entry | {"calibration": None} for entry in entries]) == ()


def test_an_evaluation_of_before_says_what_it_lacks(record: StudyRecord, entries: list[dict[str, Any]]) -> None:
    old = [{k: v for k, v in entry.items() if k not in ("scores", "sizes", "calibration")} for entry in entries]
    body = behind_figures(replace(record, evaluation={**(record.evaluation or {}), "entries": old}))
    assert "of an earlier version" in body


def test_the_paper_stands_alone_where_data_are_others(record: StudyRecord) -> None:
    body = paper_section(record)
    for words in ("Table I, BRATS", "Table II, MOOD brain", "Deng &amp; Li, paper", "Not measured: data not at hand"):
        assert words in body
    assert "4 subjects, 16 slices of 32x32" in body
    assert "None may stand there." in body
    assert body.count("<td") == 4 * (5 + 3 + 3)


def test_ours_stands_beside_the_paper_where_it_was_recorded_so(record: StudyRecord) -> None:
    assert record.evaluation is not None
    interval = {"estimate": 0.61, "low": 0.5, "high": 0.7}
    part = {
        "table": PUBLISHED[0].title,
        "published": [row.__dict__ for row in PUBLISHED[0].rows],
        "measured": dict.fromkeys(FIGURES, interval),
        "note": "",
    }
    test = json.loads(json.dumps(record.evaluation["test"])) | {"described": "brats t2"}
    body = paper_section(replace(record, evaluation={**record.evaluation, "paper": [part], "test": test}))
    assert "Measured here on brats t2" in body
    assert body.count("0.61 <span") == 4


def test_without_tables_the_paper_is_left_out(finished: Stored) -> None:
    finished.folder.definition_file.write_text(
        finished.folder.definition_file.read_text().replace(str(finished.test.path), "gone.arrow")
    )
    assert "can no longer be opened" in paper_section(read_study(finished.folder))
