"""Every two detectors on the test table: which found more, and whether that can be told."""

from collections.abc import Mapping
from typing import Any

from study.page.html import Child, Html, join, paragraphs, table, tag
from study.page.words import interval
from study.records import StudyRecord

LEAST = 3  # with fewer detectors the winner's leads say it all


def every_pair(record: StudyRecord) -> Html:
    """A matrix of differences in pixel AP, the floor's best as its last column; nothing with few detectors."""
    evaluation = record.evaluation or {}
    names = [entry["name"] for entry in evaluation.get("entries", ()) if entry["kind"] == "detector"]
    gaps = _both_ways(evaluation.get("pairs", ()))
    if len(names) < LEAST or not gaps:
        return Html("")
    floors = [entry["name"] for entry in evaluation["entries"] if entry["kind"] == "floor"]
    best = [min(floors, key=lambda name: gaps[names[0], name]["estimate"])] if floors else []
    arm = record.best["verdict"].get("arm") if record.best else None
    told = {"winner": f"{arm}, the winner" if arm else "winner"} | {name: f"floor: {name}" for name in best}
    rows: list[list[Child]] = [
        [told.get(name, name), *(_cell(gaps.get((name, other))) for other in (*names, *best))] for name in names
    ]
    apart = [pair for pair in evaluation["pairs"] if {pair["first"], pair["second"]} <= {*names} and _clear(pair)]
    return join(
        tag("h3", "Every pair on the test table"),
        paragraphs(
            "Pixel AP of the row minus the column's, with 95 % intervals over common subjects and seeds; in bold where "
            f"these lie on one side of 0: {len(apart)} of {len(names) * (len(names) - 1) // 2} pairs of detectors. "
            "Nothing is corrected for so many looks: of twenty pairs that do not differ, one misses 0 by chance."
        ),
        table(("minus", *(told.get(name, name) for name in (*names, *best))), rows),
    )


def _both_ways(pairs: Any) -> dict[tuple[str, str], Mapping[str, float]]:
    found = {}
    for pair in pairs:
        found[pair["first"], pair["second"]] = pair
        found[pair["second"], pair["first"]] = {
            "estimate": -pair["estimate"],
            "low": -pair["high"],
            "high": -pair["low"],
        }
    return found


def _clear(gap: Mapping[str, float]) -> bool:
    return gap["low"] > 0 or gap["high"] < 0


def _cell(gap: Mapping[str, float] | None) -> Child:
    if gap is None:
        return "–"
    return tag("strong", interval(gap)) if _clear(gap) else interval(gap)
