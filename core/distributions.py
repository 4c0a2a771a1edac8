"""What stands behind a detector's figures: where scores of normal and anomalous lie, calibration, lesion size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.config import ScoreName
from core.evaluation import Evaluation
from core.metrics import ScoreHistogram, pooled, rank

BINS = 50
_RANGE = (0.0005, 0.9995)  # quantiles of either class between which bins are spread; what lies outside is in the ends
EDGES = (0.0, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 1.0)
"""Of predicted probability: close at the ends, where the pixels of healthy tissue and of clear lesions are."""


def score_histograms(evaluation: Evaluation, score: ScoreName) -> dict[str, Any]:
    """Counts of normal and anomalous slices by their score, and of pixels by their value in the map.

    Each as {edges (n + 1,), normal (n,), anomalous (n,)}; scores beyond the outer edges count in the outer bins.
    """
    pixels = pooled(evaluation.frame.values())
    values, anomalous = evaluation.sample[score].astype(np.float64), evaluation.anomalous
    counts = np.stack([~anomalous, anomalous], 1).astype(np.int64)
    return {
        "slices": {"score": score} | _binned(values, counts),
        "pixels": _binned(pixels.scores.astype(np.float64), pixels.counts),
    }


def calibration(evaluation: Evaluation) -> dict[str, Any]:
    """Share of anomalous pixels by predicted probability, for a detector whose map's sigmoid is a probability.

    predicted: mean probability of each bin that holds pixels; observed: share of them that are anomalous; pixels: how
    many. error: the mean distance of the two over all pixels, the expected calibration error.
    """
    histogram: ScoreHistogram = pooled(evaluation.frame.values())
    chance = 1 / (1 + np.exp(-np.clip(histogram.scores.astype(np.float64), -80, 80)))
    total = histogram.counts.sum(1)
    place = np.clip(np.searchsorted(EDGES, chance, side="right") - 1, 0, len(EDGES) - 2)
    bins = len(EDGES) - 1
    pixels, hits, sums = (
        np.bincount(place, weights, bins) for weights in (total, histogram.counts[:, 1], chance * total)
    )
    held = pixels > 0
    predicted, observed = sums[held] / pixels[held], hits[held] / pixels[held]
    return {
        "predicted": predicted.tolist(),
        "observed": observed.tolist(),
        "pixels": pixels[held].astype(int).tolist(),
        "error": float((np.abs(predicted - observed) * pixels[held]).sum() / pixels.sum()),
    }


def by_size(runs: Sequence[Evaluation], score: ScoreName) -> list[dict[str, Any]]:
    """Results by the area of a slice's lesion, small ones first: slices of that size with all that have no lesion.

    low, high: bounds in pixels; share: the same of the frame. average_precision of pixels and sample_auroc, one per
    run. Empty when the runs did not keep sizes, see `core.evaluation.evaluate`.
    """
    found = []
    for low, high in sorted(bounds for bounds in runs[0].sizes if bounds[1]):
        pixels = [
            pooled([run.sizes[0, 0], run.sizes[low, high]] if (0, 0) in run.sizes else [run.sizes[low, high]])
            for run in runs
        ]
        slices = [(run.area == 0) | ((run.area >= low) & (run.area <= high)) for run in runs]
        found.append(
            {
                "low": low,
                "high": high,
                "slices": int(((runs[0].area >= low) & (runs[0].area <= high)).sum()),
                "average_precision": [histogram.ranking().average_precision for histogram in pixels],
                "sample_auroc": [
                    rank(run.sample[score][chosen], run.anomalous[chosen]).auroc
                    for run, chosen in zip(runs, slices, strict=True)
                ],
            }
        )
    return found


def _binned(values: NDArray[np.float64], counts: NDArray[np.int64]) -> dict[str, list[Any]]:
    """counts (n, 2) of normal and anomalous by value (n,), gathered into BINS equal bins."""
    finite = values[np.isfinite(values)]
    values = np.clip(values, finite.min(), finite.max()) if len(finite) else np.zeros_like(values)
    ends = [end for column in counts.T if column.any() for end in _quantiles(values, column)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, BINS - 1)
    normal, anomalous = (np.bincount(place, column, BINS).astype(int).tolist() for column in counts.T)
    return {"edges": edges.tolist(), "normal": normal, "anomalous": anomalous}


def _quantiles(values: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[float, float]:
    order = np.argsort(values)
    below = np.cumsum(counts[order])
    low, high = (np.searchsorted(below, share * below[-1]) for share in _RANGE)
    return float(values[order][low]), float(values[order][min(high, len(order) - 1)])
