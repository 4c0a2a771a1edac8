"""Intervals over subjects and seeds, for a test table: subjects are resampled, seeds enter by their variance.

The unit that is resampled is the subject, never the slice or the pixel: slices of one head are not independent
(Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 8 and 13; Field and Welsh 2007 for clusters). Seeds
are too few to be resampled: of three, a resample has two thirds of the variance, and never more than their range.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from core.intervals import Interval, tails
from core.metrics import Ranking, ScoreHistogram, matched_auroc, pooled, rank, rankings_of

Quantity = Literal["auroc", "average_precision"]
SampleScores = tuple[NDArray[np.float32], NDArray[np.bool_]]
_Draw = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""How often each subject was drawn (R, subjects) to counts over ascending scores (R, bins, 2)."""
_Figure = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""How often each subject was drawn (R, subjects) to a figure of each resample (R,), not a number where undefined."""

_BINS = 4096  # common bins for the resamples: they shift AUROC by about 1e-5, AP by less than 5e-4
_CHUNK = 25  # resamples at a time: bounds the memory for thousands of slices or bins


def pixel_interval(
    runs: Sequence[Mapping[str, ScoreHistogram]],
    quantity: Quantity,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """Mean over training seeds of a pooled pixel figure, with an interval over subjects and seeds.

    runs: for each training seed, histograms by subject. A resample draws subjects with replacement, the same for all
    seeds. One that misses a class that the figure needs is dropped, and `method` counts those that were used. None when
    the estimate misses a class, more than half were dropped, or there is one subject. Raises ValueError when subjects
    differ between runs. How the interval follows from these: see `_interval`.
    """
    names = _subjects(runs)
    by_seed = _by_seed([pooled(run.values()).ranking() for run in runs], quantity)
    if by_seed is None:
        return None
    figures = [_ranked(_draw_pixels(run, names), quantity) for run in runs]
    return _interval(by_seed, _resamples(figures, len(names), resamples, seed), level, len(names))


def pixel_differences(
    runs: Mapping[str, Sequence[Mapping[str, ScoreHistogram]]],
    quantity: Quantity,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[tuple[str, str], Interval]:
    """The same for the difference of every two detectors on the same subjects, (first, second): first - second.

    runs: of each detector by name, as for `pixel_interval`. Each resample draws the same subjects for all: what makes a
    subject hard for both does not widen the interval. Detectors with as many seeds are paired seed by seed, and one
    with a single run stands beside every seed of the other. Pairs come in the order of the names, each once; those
    without an interval are left out. Raises ValueError when subjects differ, or numbers of seeds otherwise.
    """
    names = _subjects([run for each in runs.values() for run in each])
    found = []
    for name, each in runs.items():
        by_seed = _by_seed([pooled(run.values()).ranking() for run in each], quantity)
        if by_seed is not None:
            figures = [_ranked(_draw_pixels(run, names), quantity) for run in each]
            found.append((name, by_seed, _resamples(figures, len(names), resamples, seed)))
    intervals = {
        (first, second): _interval(one - other, values - others, level, len(names), lowest=-1.0)
        for (first, one, values), (second, other, others) in combinations(found, 2)
    }
    return {pair: interval for pair, interval in intervals.items() if interval is not None}


def sample_interval(
    runs: Sequence[Mapping[str, SampleScores]],
    quantity: Quantity,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """`pixel_interval` for one score per slice: for each training seed, scores and truth, both (n,), by subject."""
    names = _subjects(runs)
    rankings, figures = [], []
    for run in runs:
        scores, truth, subject = _flat(run, names)
        rankings.append(rank(scores, truth))
        figures.append(_ranked(_draw_slices(scores, truth, subject), quantity))
    by_seed = _by_seed(rankings, quantity)
    if by_seed is None:
        return None
    return _interval(by_seed, _resamples(figures, len(names), resamples, seed), level, len(names))


def matched_interval(
    runs: Sequence[Mapping[str, SampleScores]],
    strata: Mapping[str, NDArray[np.intp]],
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """`sample_interval` for the AUROC among slices of one stratum (`metrics.matched_auroc`).

    strata: the stratum of each slice, (n,), by subject. None also when no stratum holds both classes.
    """
    names = _subjects(runs)
    stratum = np.concatenate([strata[name] for name in names])
    estimates, figures = [], []
    for run in runs:
        scores, truth, subject = _flat(run, names)
        estimates.append(matched_auroc(scores, truth, stratum))
        within = [stratum == one for one in np.unique(stratum)]
        figures.append(_pairs_of([_draw_slices(scores[rows], truth[rows], subject[rows]) for rows in within]))
    found = [estimate for estimate in estimates if estimate is not None]
    if len(found) < len(runs):
        return None
    return _interval(np.array(found), _resamples(figures, len(names), resamples, seed), level, len(names))


def _subjects(runs: Sequence[Mapping[str, object]]) -> list[str]:
    """Sorted, so that the draws do not depend on the order in which subjects were scored."""
    if not runs or not runs[0]:
        raise ValueError("there are no runs, or no subjects, to resample")
    for run in runs[1:]:
        if odd := sorted(runs[0].keys() ^ run.keys()):
            raise ValueError(f"runs must share their subjects, but {odd[0]} is not in all of them")
    return sorted(runs[0])


def _by_seed(rankings: Sequence[Ranking], quantity: Quantity) -> NDArray[np.float64] | None:
    """The figure under each seed, (seeds,); None where one misses a class."""
    values = [ranking.auroc if quantity == "auroc" else ranking.average_precision for ranking in rankings]
    found = [value for value in values if value is not None]
    return np.array(found) if len(found) == len(values) else None


def _flat(
    run: Mapping[str, SampleScores], names: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.intp]]:
    """Scores, truth and number of the subject of all slices, each (n,)."""
    scores, truth = (np.concatenate([run[name][which] for name in names]) for which in (0, 1))
    return scores, truth, np.repeat(np.arange(len(names)), [len(run[name][0]) for name in names])


def _ranked(draw: _Draw, quantity: Quantity) -> _Figure:
    return lambda weights: rankings_of(draw(weights))[0 if quantity == "auroc" else 1]


def _pairs_of(draws: Sequence[_Draw]) -> _Figure:
    """Pairs ranked rightly over all pairs, both summed over strata."""

    def figure(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        right, pairs = np.zeros(len(weights)), np.zeros(len(weights))
        for draw in draws:
            counts = draw(weights)
            found = counts.sum(1).prod(1)
            right += np.where(found > 0, rankings_of(counts)[0], 0) * found
            pairs += found
        with np.errstate(invalid="ignore"):
            return right / pairs

    return figure


def _resamples(figures: Sequence[_Figure], subjects: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """The mean over seeds of the figure of each resample, (resamples,); not a number where a class is missing.

    The subjects drawn follow from their number and `seed` alone: figures of several detectors can be subtracted.
    """
    weights = np.random.default_rng([seed, 0]).multinomial(subjects, np.full(subjects, 1 / subjects), resamples)
    values = np.zeros(resamples)
    for figure in figures:
        for start in range(0, resamples, _CHUNK):
            part = slice(start, start + _CHUNK)
            values[part] += figure(weights[part].astype(np.float64)) / len(figures)
    return values


def _interval(
    by_seed: NDArray[np.float64], values: NDArray[np.float64], level: float, subjects: int, *, lowest: float = 0.0
) -> Interval | None:
    """From the figure under each seed, and resamples of its mean. lowest: of such figures; none is above 1.

    Each side has two standard errors. That over subjects makes the side as long as the percentiles by which an interval
    for a mean of n subjects is as wide as Student's t (Hesterberg, The American Statistician 69, 2015), and not shorter
    than t itself, since no resample reaches beyond few subjects. That over seeds is theirs. Both together are as many
    times t as Satterthwaite's degrees of freedom ask for (Biometrics Bulletin 2, 1946).
    """
    share = tails(level)[1]
    usable = values[np.isfinite(values)]
    if subjects < 2 or usable.size < values.size / 2:
        return None
    estimate, seeds, grown = float(np.mean(by_seed)), by_seed.size, np.sqrt(subjects / (subjects - 1))
    reach = special.stdtrit(subjects - 1, share)
    outer = special.ndtr(reach * grown)
    low, high = np.quantile(usable, [1 - outer, outer])
    least = np.std(usable) * grown
    of_seeds = np.var(by_seed, ddof=1) / seeds if seeds > 1 else 0.0

    def side(length: float) -> float:
        of_subjects = max(length / reach, least) ** 2
        both = of_subjects + of_seeds
        if both == 0:
            return 0.0
        freedom = both**2 / (of_subjects**2 / (subjects - 1) + of_seeds**2 / max(seeds - 1, 1))
        return float(special.stdtrit(freedom, share) * np.sqrt(both))

    low, high = max(estimate - side(estimate - low), lowest), min(estimate + side(high - estimate), 1.0)
    method = f"bootstrap of subjects, variance of seeds, {usable.size} of {values.size} resamples"
    return Interval(estimate, low, high, level, subjects, seeds, method)


def _draw_pixels(run: Mapping[str, ScoreHistogram], names: Sequence[str]) -> _Draw:
    """Over bins that hold equal shares of the positives or of the negatives; over all scores where these are few."""
    total = pooled(run.values())
    edges = total.keys
    if edges.size > _BINS:
        reached = np.cumsum(total.counts, 0) / np.maximum(total.counts.sum(0), 1)
        cuts = [np.searchsorted(reached[:, label], np.linspace(0, 1, _BINS // 2)) for label in (0, 1)]
        edges = edges[np.unique(np.minimum(np.concatenate(cuts), edges.size - 1))]
    table = np.zeros((len(names), edges.size + 1, 2))
    for row, name in zip(table, names, strict=True):
        places = np.searchsorted(edges, run[name].keys)
        for label in (0, 1):
            row[:, label] = np.bincount(places, run[name].counts[:, label], edges.size + 1)
    return lambda weights: np.tensordot(weights, table, 1)


def _draw_slices(scores: NDArray[np.float32], truth: NDArray[np.bool_], subject: NDArray[np.intp]) -> _Draw:
    """Over every distinct score; subject (n,) is the number of the subject of each slice."""
    order = np.argsort(scores, kind="stable")
    scores, truth, subject = scores[order], truth[order].astype(bool), subject[order]
    starts = np.flatnonzero(np.append(True, scores[1:] != scores[:-1])[: scores.size])

    def draw(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn = weights[:, subject]
        return np.stack([np.add.reduceat(drawn * label, starts, axis=1) for label in (~truth, truth)], 2)

    return draw
