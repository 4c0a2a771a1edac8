"""Intervals: bootstrap over subjects and seeds for a test table, Student's t over seeds for a comparison.

The unit that is resampled is the subject, never the slice or the pixel: slices of one head are not independent
(Efron and Tibshirani, An Introduction to the Bootstrap, ch. 8; Field and Welsh 2007 for clusters).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from core.metrics import ScoreHistogram, rankings_of

Quantity = Literal["auroc", "average_precision"]
_BINS = 2048  # common bins for the resamples; the estimate itself is never coarsened
_CHUNK = 50


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval. method says what was resampled or assumed."""

    estimate: float
    low: float
    high: float
    level: float
    subjects: int
    seeds: int
    method: str


def pixel_interval(
    runs: Sequence[Mapping[str, ScoreHistogram]],
    quantity: Quantity,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """Mean over seeds of a pooled pixel figure, with a percentile interval over subjects and seeds.

    runs: for each training seed, histograms by subject, the same subjects in each. A resample draws subjects with
    replacement, the same for all seeds, and seeds with replacement. None when the figure needs a class that is absent.
    """
    estimate = _estimate(runs, quantity)
    if estimate is None:
        return None
    counts = [_coarse(run) for run in runs]
    return _interval(estimate, _resamples(counts, quantity, resamples, seed), level, counts)


def pixel_difference(
    first: Sequence[Mapping[str, ScoreHistogram]],
    second: Sequence[Mapping[str, ScoreHistogram]],
    quantity: Quantity,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """The same for the difference, first - second, of two detectors on the same subjects.

    Each resample draws the same subjects for both: what makes a subject hard for both does not widen the interval.
    """
    one, two = _estimate(first, quantity), _estimate(second, quantity)
    if one is None or two is None:
        return None
    counts = [[_coarse(run) for run in runs] for runs in (first, second)]
    values = [_resamples(each, quantity, resamples, seed) for each in counts]
    return _interval(one - two, values[0] - values[1], level, counts[0])


def sample_interval(
    runs: Sequence[Mapping[str, tuple[NDArray[np.float32], NDArray[np.bool_]]]],
    quantity: Quantity,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """The same for one score per slice: for each training seed, scores and truth by subject."""
    names = sorted(runs[0])
    counts, estimates = [], []
    for run in runs:
        values, place = np.unique(np.concatenate([run[name][0] for name in names]), return_inverse=True)
        truth = np.concatenate([run[name][1] for name in names]).astype(np.intp)
        subject = np.repeat(np.arange(len(names)), [len(run[name][0]) for name in names])
        table = np.zeros((len(names), values.size, 2))
        np.add.at(table, (subject, place, truth), 1)
        auroc, precision = rankings_of(table.sum(0, keepdims=True))
        estimates.append(float((auroc if quantity == "auroc" else precision)[0]))
        counts.append(table)
    if not np.isfinite(estimates).all():
        return None
    return _interval(float(np.mean(estimates)), _resamples(counts, quantity, resamples, seed), level, counts)


def mean_interval(values: Sequence[float], *, level: float = 0.95) -> Interval:
    """Mean over training seeds with Student's t interval. Raises ValueError with fewer than two values."""
    if len(values) < 2:
        raise ValueError(f"an interval over seeds needs at least two, and there is {len(values)}")
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))
    reach = float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * error
    return Interval(mean, mean - reach, mean + reach, level, 0, len(values), "Student t over seeds")


def paired_difference(first: Sequence[float], second: Sequence[float], *, level: float = 0.95) -> Interval:
    """Mean of first - second over common seeds with Student's t interval. Raises ValueError when lengths differ."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values cannot be paired with {len(second)}")
    return mean_interval([a - b for a, b in zip(first, second, strict=True)], level=level)


def _estimate(runs: Sequence[Mapping[str, ScoreHistogram]], quantity: Quantity) -> float | None:
    values = [getattr(_total(run.values()).ranking(), quantity) for run in runs]
    return None if None in values else float(np.mean(values))


def _resamples(
    counts: Sequence[NDArray[np.float64]], quantity: Quantity, resamples: int, seed: int
) -> NDArray[np.float64]:
    """The figure of each resample, (resamples,); not a number where a class is missing.

    counts: for each training seed, (subjects, bins, 2). The subjects drawn follow from their number and `seed` alone.
    """
    subjects, seeds = len(counts[0]), len(counts)
    weights = np.random.default_rng([seed, 0]).multinomial(subjects, np.full(subjects, 1 / subjects), resamples)
    shares = np.random.default_rng([seed, 1]).multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds
    values = np.zeros(resamples)
    for which, table in enumerate(counts):
        for start in range(0, resamples, _CHUNK):
            part = slice(start, start + _CHUNK)
            drawn = np.tensordot(weights[part].astype(np.float64), table, 1)
            auroc, precision = rankings_of(drawn)
            # 0 * NaN is NaN, so a resample without a class is dropped whichever seeds it drew.
            values[part] += shares[part, which] * (auroc if quantity == "auroc" else precision)
    return values


def _interval(
    estimate: float, values: NDArray[np.float64], level: float, counts: Sequence[NDArray[np.float64]]
) -> Interval | None:
    """Percentiles of the resamples that have both classes; None when most do not."""
    usable = values[np.isfinite(values)]
    if usable.size < values.size / 2:
        return None
    low, high = np.quantile(usable, [(1 - level) / 2, (1 + level) / 2])
    method = f"bootstrap of subjects and seeds, {usable.size} resamples"
    return Interval(estimate, float(low), float(high), level, len(counts[0]), len(counts), method)


def _coarse(run: Mapping[str, ScoreHistogram]) -> NDArray[np.float64]:
    """Counts (subjects, bins, 2), subjects sorted, over bins with equal shares of the positives or of the negatives."""
    total = _total(run.values())
    reached = np.cumsum(total.counts, 0) / np.maximum(total.counts.sum(0), 1)
    cuts = [np.searchsorted(reached[:, label], np.linspace(0, 1, _BINS // 2)) for label in (0, 1)]
    places = np.unique(np.concatenate(cuts))
    edges = total.keys[np.minimum(places, len(total.keys) - 1)]
    table = np.zeros((len(run), len(edges) + 1, 2))
    for row, name in zip(table, sorted(run), strict=True):
        np.add.at(row, np.searchsorted(edges, run[name].keys), run[name].counts)
    return table


def _total(histograms: Iterable[ScoreHistogram]) -> ScoreHistogram:
    total = ScoreHistogram()
    for histogram in histograms:
        total.merge(histogram)
    return total
