"""Entries of evaluation.json: where thresholds come from, and what is said of the floor."""

from typing import Any

import numpy as np
import pytest
import torch

from core.config import Config, to_dict
from core.evaluation import evaluate
from core.results import best_floor, detector_entry, entry_label, leads, smoothing_words, verdict_on_floor
from core.slices.table import SliceTable

CPU = torch.device("cpu")
ENTRIES: list[dict[str, Any]] = [
    {"name": "winner", "kind": "detector"},
    {"name": "circle", "kind": "detector"},
    {"name": "position", "kind": "floor"},
    {"name": "intensity", "kind": "floor"},
]


def _lead(low: float, estimate: float, high: float) -> dict[str, float]:
    return {"estimate": estimate, "low": low, "high": high}


@pytest.mark.parametrize(
    ("lead", "clear", "sentence"),
    [
        (
            (0.1, 0.2, 0.3),
            True,
            "The winner clearly beats the floor: its pixel AP is +0.200 [+0.100, +0.300] above intensity, "
            "the best score without training.",
        ),
        ((-0.1, 0.2, 0.3), False, "The winner is not clearly above the floor: its pixel AP is +0.200 [-0.100, +0.300]"),
        ((0.0, 0.2, 0.3), False, "The winner is not clearly above the floor"),
        ((-0.1, 0.0, 0.3), False, "The winner does not beat the floor: its pixel AP minus that of intensity"),
        ((-0.3, -0.2, -0.1), False, "The winner does not beat the floor: its pixel AP minus that of intensity"),
    ],
)
def test_the_floor_is_its_best_score_and_beaten_where_the_interval_lies_above_0(
    lead: tuple[float, float, float], clear: bool, sentence: str
) -> None:
    against = {"circle": _lead(-0.9, -0.8, -0.7), "position": _lead(0.4, 0.5, 0.6), "intensity": _lead(*lead)}
    told = verdict_on_floor(ENTRIES, against)
    assert told["clear"] == clear
    assert told["sentence"].startswith(sentence)


def test_the_floor_is_not_beaten_where_one_baseline_may_be_as_good() -> None:
    """Intensity looks best, but the interval over position, which spreads more, does not lie above 0."""
    against = {"position": _lead(-0.1, 0.3, 0.7), "intensity": _lead(0.1, 0.2, 0.3)}
    told = verdict_on_floor(ENTRIES, against)
    assert not told["clear"]
    assert told["sentence"] == (
        "The winner is not clearly above the floor: its pixel AP is +0.200 [+0.100, +0.300] above intensity, the best "
        "score without training, and +0.300 [-0.100, +0.700] above position, which includes 0."
    )


@pytest.mark.parametrize(("prevalence", "why"), [(0.0, "has no anomalous pixels"), (0.01, "holds a single subject")])
def test_without_intervals_nothing_is_compared(prevalence: float, why: str) -> None:
    told = verdict_on_floor([ENTRIES[0] | {"prevalence": prevalence}, *ENTRIES[1:]], {"circle": _lead(0.1, 0.2, 0.3)})
    assert told == {"clear": False, "sentence": f"The test table {why}, so nothing can be compared."}


def test_leads_are_those_of_the_first_alone() -> None:
    pairs = [{"first": "a", "second": "b"} | _lead(1, 2, 3), {"first": "b", "second": "c"} | _lead(4, 5, 6)]
    assert leads(pairs, "a") == {"b": _lead(1, 2, 3)}


def test_the_best_floor_is_the_highest_on_the_probe() -> None:
    assert best_floor({"floor_objectives": {"a": 0.1, "b": 0.3, "c": 0.2}}) == ("b", 0.3)
    assert best_floor({}) is best_floor(None) is None


def test_windows_are_told_where_there_are_any() -> None:
    smoothed = [{"name": "a", "window": 3}, {"name": "b", "window": 1}, {"name": "c", "window": 7}, {"name": "d"}]
    assert smoothing_words(smoothed).startswith("Averaged over tissue: a over 3 x 3 pixels and c over 7 x 7 pixels, ")
    assert smoothing_words(smoothed[1:2]) == ""
    assert entry_label(ENTRIES[0]) == "winner"
    assert entry_label(ENTRIES[2]) == "floor: position"


def _dice(scores: np.ndarray, truth: np.ndarray, threshold: float) -> float:
    above = scores >= threshold
    return 2 * (above & truth).sum() / (above.sum() + truth.sum())


def test_dice_is_taken_at_the_threshold_that_is_best_on_the_probe(lesioned: SliceTable) -> None:
    """On the test the detector answers higher, so that its own best threshold is another one."""
    grey, truth = lesioned.images(slice(None)) / 256, lesioned.masks(slice(None)).astype(bool)
    on_probe, on_test = (
        [
            evaluate(lambda batch, sign=sign, shift=shift: sign * batch * 255 / 256 + shift, lesioned, device=CPU)
            for sign in signs
        ]
        for signs, shift in (((1, -1), 0.0), ((1, -1), 0.25))
    )
    config = to_dict(Config())
    entry = detector_entry("winner", config, [7, 8], on_test, on_probe)
    for seed, sign in enumerate((1, -1)):
        levels = np.unique(sign * grey)
        best = max(_dice(sign * grey, truth, level) for level in levels)
        threshold = entry["thresholds"][seed]
        assert _dice(sign * grey, truth, threshold) == pytest.approx(best)
        assert entry["dice"][seed] == pytest.approx(_dice(sign * grey + 0.25, truth, threshold))
        assert entry["figures"][seed] == on_test[seed].figures()
    assert entry["seeds"] == [7, 8]
    assert entry["prevalence"] == pytest.approx(truth.mean())
    assert entry["calibration"] is not None
    assert (
        detector_entry("w", config | {"detector": {"kind": "vae"}}, [7], on_test[:1], on_probe[:1])["calibration"]
        is None
    )
