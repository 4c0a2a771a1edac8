"""What stands behind a detector's figures: histograms by class, calibration, and results by size of lesion."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.distributions import BINS, EDGES, by_size, calibration, score_histograms
from core.evaluation import Evaluation, evaluate
from core.metrics import ScoreHistogram, rank
from core.sizes import lesion_areas, size_classes
from core.slices.layout import TableMetadata, VolumeSlices
from core.slices.table import SliceTable, write_table

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> SliceTable:
    """Nine slices; three without a lesion, six with a bright square of 1, 4, 9, 16, 25 and 36 pixels."""
    rng = np.random.default_rng(0)
    images = rng.integers(20, 120, (9, 16, 16)).astype(np.uint8)
    masks = np.zeros_like(images)
    for side in range(1, 7):
        masks[2 + side, 4 : 4 + side, 4 : 4 + side] = 1
        images[2 + side][masks[2 + side] > 0] += 40
    index = np.arange(9, dtype=np.int32)
    one = VolumeSlices("data", "a", "t2", images, masks, index, [None] * 9)
    return write_table(tmp_path_factory.mktemp("sizes") / "t.arrow", iter([one]), TableMetadata(source={}))


@pytest.fixture(scope="module")
def found(table: SliceTable) -> Evaluation:
    return evaluate(lambda batch: torch.logit(batch, eps=1e-3), table, device=CPU, batch=4, by_size=True)


def test_slices_are_divided_by_the_area_of_their_lesion(table: SliceTable) -> None:
    areas = lesion_areas(table)
    assert areas.tolist() == [0, 0, 0, 1, 4, 9, 16, 25, 36]
    classes = size_classes(areas, 3)
    assert {bounds: int(chosen.sum()) for bounds, chosen in classes.items()} == {
        (0, 0): 3, (1, 4): 2, (9, 16): 2, (25, 36): 2,
    }  # fmt: skip
    assert list(size_classes(np.array([0, 7, 7, 7]))) == [(0, 0), (7, 7)]
    assert list(size_classes(np.zeros(4, np.int64))) == [(0, 0)]


def test_a_size_is_ranked_with_all_slices_that_have_no_lesion(table: SliceTable, found: Evaluation) -> None:
    sizes = by_size([found, found], "mean")
    assert [(one["low"], one["high"], one["slices"]) for one in sizes] == [
        (1, 4, 2),
        (9, 9, 1),
        (16, 25, 2),
        (36, 36, 1),
    ]
    for one in sizes:
        areas = lesion_areas(table)
        rows = np.flatnonzero((areas == 0) | ((areas >= one["low"]) & (areas <= one["high"])))
        exact = rank(table.images(rows).ravel(), table.masks(rows).astype(bool).ravel())
        assert one["average_precision"] == [pytest.approx(exact.average_precision, abs=1e-3)] * 2
        assert one["sample_auroc"] == [rank(found.sample["mean"][rows], found.anomalous[rows]).auroc] * 2


def test_sizes_are_kept_where_asked_for_alone(table: SliceTable) -> None:
    plain = evaluate(lambda batch: batch, table, device=CPU)
    assert (plain.sizes, len(plain.area), by_size([plain], "mean")) == ({}, 0, [])


def test_every_score_is_in_the_histograms(found: Evaluation) -> None:
    counted = score_histograms(found, "mean")
    for part, normal, anomalous in (("slices", 3, 6), ("pixels", 9 * 256 - 91, 91)):
        one = counted[part]
        assert (sum(one["normal"]), sum(one["anomalous"])) == (normal, anomalous)
        assert len(one["edges"]) == BINS + 1
        assert np.all(np.diff(one["edges"]) > 0)
    pixels = counted["pixels"]
    centres = np.add(pixels["edges"][1:], pixels["edges"][:-1]) / 2
    assert np.average(centres, weights=pixels["anomalous"]) > np.average(centres, weights=pixels["normal"])


def test_bins_reach_from_the_lowest_to_the_highest_of_either_class_but_for_outliers() -> None:
    rng = np.random.default_rng(0)
    # Positive halves, which a histogram of pixels keeps exactly.
    scores = np.concatenate([rng.normal(9, 1, 10_300), rng.normal(13, 2, 3_100)]).astype(np.float16).astype(np.float32)
    truth = np.arange(len(scores)) >= 10_300
    one = Evaluation({("s", ""): ScoreHistogram()}, {}, {"mean": scores}, truth, *(np.empty(0) for _ in range(3)))
    one.frame["s", ""].add(scores, truth)
    ends = [np.quantile(scores[truth == which], (0.0005, 0.9995), method="inverted_cdf") for which in (False, True)]
    for told in (score_histograms(one, "mean")[part] for part in ("slices", "pixels")):
        assert told["edges"] == pytest.approx(np.linspace(np.min(ends), np.max(ends), BINS + 1))
        inside = np.clip(scores, told["edges"][0], told["edges"][-1])
        for name, which in (("normal", False), ("anomalous", True)):
            assert told[name] == np.histogram(inside[truth == which], told["edges"])[0].tolist()


def test_infinite_and_equal_scores_have_a_place(table: SliceTable) -> None:
    infinite = float("inf")
    for low, high in ((infinite, infinite), (-infinite, -infinite), (2.0, 2.0), (-infinite, 2.0), (2.0, infinite)):
        one = evaluate(lambda batch, low=low, high=high: torch.where(batch > 0.3, high, low), table, device=CPU)
        counted = score_histograms(one, "mean")["pixels"]
        assert sum(counted["normal"]) + sum(counted["anomalous"]) == 9 * 256
        assert np.isfinite(counted["edges"]).all()
        assert (np.diff(counted["edges"]) > 0).all()


def test_sizes_are_told_where_every_slice_has_a_lesion(table: SliceTable, tmp_path: Path) -> None:
    images, masks = table.images(np.arange(3, 9)), table.masks(np.arange(3, 9))
    one = VolumeSlices("data", "a", "t2", images, masks, np.arange(6, dtype=np.int32), [None] * 6)
    sick = write_table(tmp_path / "t.arrow", iter([one]), TableMetadata(source={}))
    sizes = by_size([evaluate(lambda batch: batch, sick, device=CPU, by_size=True)], "mean")
    assert [(told["low"], told["high"]) for told in sizes] == [(1, 4), (9, 9), (16, 25), (36, 36)]
    for told in sizes:
        rows = (lesion_areas(sick) >= told["low"]) & (lesion_areas(sick) <= told["high"])
        exact = rank(images[rows].ravel(), masks[rows].astype(bool).ravel())
        assert told["average_precision"] == [pytest.approx(exact.average_precision, abs=1e-3)]
        assert told["sample_auroc"] == [None]


def test_a_calibrated_detector_lies_on_the_line_and_a_loud_one_below_it() -> None:
    rng = np.random.default_rng(1)
    chance = rng.uniform(0.00001, 0.99999, 200_000)
    truth = rng.uniform(size=chance.size) < chance
    for shift, error in ((0.0, 0.005), (2.0, None)):
        histogram = ScoreHistogram()
        histogram.add(np.log(chance / (1 - chance)) + shift, truth)
        one = Evaluation({("s", ""): histogram}, {}, {}, *(np.empty(0) for _ in range(4)))  # type: ignore[arg-type]
        told = calibration(one)
        shifted = 1 / (1 + np.exp(-np.log(chance / (1 - chance)) - shift))
        within = np.histogram(shifted, EDGES)[0]
        assert told["pixels"] == pytest.approx(within[within > 0], rel=0.02, abs=1)
        assert sum(told["pixels"]) == chance.size
        if error:
            assert told["error"] < error
        else:
            assert told["error"] > 0.15
            assert all(p > o for p, o in zip(told["predicted"], told["observed"], strict=True))
