"""The matrix of differences on the test table: both signs, the best floor, what is clear, and when there is none."""

from dataclasses import replace
from typing import Any

from stored_studies import Stored

from study.page.pairs import every_pair
from study.records import StudyRecord, read_study


def pair(first: str, second: str, low: float, high: float) -> dict[str, Any]:
    return {"first": first, "second": second, "estimate": (low + high) / 2, "low": low, "high": high}


PAIRS = [
    pair("winner", "<a>", 0.1, 0.3),
    pair("winner", "b", -0.2, 0.4),
    pair("winner", "position", 0.2, 0.6),
    pair("winner", "intensity", -0.3, -0.1),
    pair("<a>", "b", -0.5, -0.3),
    pair("<a>", "position", 0.0, 0.2),
    pair("<a>", "intensity", -0.6, -0.2),
    pair("b", "position", 0.1, 0.3),
    pair("b", "intensity", -0.4, 0.2),
    pair("position", "intensity", -0.5, -0.1),
]


def with_pairs(record: StudyRecord, pairs: list[dict[str, Any]], detectors: tuple[str, ...]) -> StudyRecord:
    entries = [{"name": name, "kind": "detector"} for name in detectors]
    entries += [{"name": name, "kind": "floor"} for name in ("position", "intensity")]
    return replace(record, evaluation={"entries": entries, "pairs": pairs})


def test_rows_minus_columns(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    text = every_pair(with_pairs(record, PAIRS, ("winner", "<a>", "b")))
    assert "0 by chance" in text
    assert "2 of 3 pairs" in text
    assert "<strong>0.200 " in text
    assert "<strong>-0.200 " in text
    assert "[-0.300, -0.100]" in text
    assert "floor: intensity" in text
    assert "floor: position" not in text
    assert "<a>" not in text.replace("&lt;a&gt;", "")
    assert text.count("–") == 3


def test_nothing_is_said_where_there_is_nothing_to_compare(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    assert every_pair(record) == ""  # the winner and one control
    assert every_pair(with_pairs(record, [], ("winner", "<a>", "b"))) == ""
    assert every_pair(replace(record, evaluation=None)) == ""
