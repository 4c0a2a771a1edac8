"""Ranking metrics of any number of scores in bounded memory: AUROC and average precision from mergeable counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.score_keys import MOST, counted, keys_of, lowest

_FEW = 1 << 16  # keys of several histograms: fewer are merged by sorting, more are added up in a table


@dataclass(frozen=True)
class Ranking:
    """auroc is None unless both classes are present, average_precision is None without positives; both in [0, 1]."""

    auroc: float | None
    average_precision: float | None
    positives: int
    negatives: int

    @property
    def prevalence(self) -> float:
        """Share of positives; 0 without scores."""
        return self.positives / max(1, self.positives + self.negatives)


class Curves(NamedTuple):
    """Points of the ROC and precision-recall curves, the strictest threshold first; all (n,)."""

    threshold: NDArray[np.float64]
    false_positive_rate: NDArray[np.float64]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]


class ScoreHistogram:
    """Counts of negatives and positives per score key: keys (n,) ascending, counts (n, 2); only occupied keys are held.

    A key is the upper 20 bits of a float32, in an order-preserving form: sign, exponent, eleven bits of mantissa.
    Scores that share one are ties; as their distance is at most 1/2048 of their size, scores should spread around 0,
    as logits do: probabilities near 1 lose their order. Where no two scores share a key, float16 always, the figures
    are scikit-learn's. Histograms merge in any order and grouping to the same counts, and never exceed 21 MB.
    """

    def __init__(self) -> None:
        self.keys: NDArray[np.uint32] = np.empty(0, np.uint32)
        self.counts: NDArray[np.int64] = np.empty((0, 2), np.int64)

    def add(self, scores: ArrayLike, positive: ArrayLike) -> None:
        """Count scores, any shape and infinities included, with their truth.

        Raises ValueError on NaN or when the shapes differ, and then counts none of them.
        """
        values, truth = _checked(scores, positive, np.float32)
        for start in range(0, values.size, MOST):
            part = slice(start, start + MOST)
            keys, counts = counted(values[part], truth[part], 2)
            self._gather([self.keys, keys], [self.counts, counts])

    def merge(self, other: "ScoreHistogram") -> None:
        """Add another histogram's counts to this one."""
        if not self.keys.size:
            self.keys, self.counts = other.keys, other.counts  # never changed in place, so both may hold them
            return
        self._gather([self.keys, other.keys], [self.counts, other.counts])

    def __add__(self, other: "ScoreHistogram") -> "ScoreHistogram":
        return pooled([self, other])

    @property
    def scores(self) -> NDArray[np.float32]:
        """The lowest score of each key, (n,): scores at or above it are those of this key and of all later ones."""
        return lowest(self.keys)

    @staticmethod
    def of_keys(
        keys: NDArray[np.uint32], negatives: NDArray[np.int64], positives: NDArray[np.int64]
    ) -> "ScoreHistogram":
        """Of counts (n,) of keys (n,) that are ascending, each there once; those of nothing are left out."""
        found = ScoreHistogram()
        held = np.flatnonzero((negatives | positives) != 0)  # of booleans: several times faster
        found.keys, found.counts = keys[held], np.stack([negatives[held], positives[held]], 1)
        return found

    def negatives(self) -> "ScoreHistogram":
        """Of the negatives alone."""
        return ScoreHistogram.of_keys(self.keys, self.counts[:, 0], np.zeros_like(self.counts[:, 1]))

    def ranking(self) -> Ranking:
        """AUROC by the trapezoid (ties count half) and AP = sum of (R_n - R_n-1) P_n (each tie one threshold)."""
        return _ranking(self.counts)

    def thinned_curves(self, points: int = 400) -> Curves:
        """At most `points`, at least 4, of both curves, evenly spread over recall and false positive rate.

        The first threshold lies above all scores, and its precision, 0 of 0, is that of the next; the last takes in
        all. Empty without positives; the false positive rate stays 0 without negatives.
        """
        fp, tp = np.cumsum(self.counts[::-1], 0).T
        if not len(tp) or not tp[-1]:
            return Curves(*(np.empty(0),) * 4)
        recall, rate = tp / tp[-1], fp / max(fp[-1], 1)
        grid = np.linspace(0, 1, points // 2 - 1)
        kept = np.unique(np.concatenate([np.searchsorted(recall, grid), np.searchsorted(rate, grid), [len(tp) - 1]]))
        kept = kept[kept < len(tp)]
        keys, precision = self.keys[::-1][kept], (tp / (tp + fp))[kept]
        threshold = lowest(np.append(keys[:1] + np.uint32(1), keys)).astype(np.float64)
        rates = np.append(0, rate[kept]), np.append(0, recall[kept]), np.append(precision[0], precision)
        return Curves(threshold, *rates)

    def dice_at(self, threshold: float) -> float | None:
        """Dice of pixels scored at least `threshold`, or in its key; None without positives. ValueError for NaN."""
        if np.isnan(threshold):
            raise ValueError("a threshold of NaN selects nothing")
        negatives, hits = self.counts[self.keys >= keys_of(np.array([threshold], np.float32))].sum(0)
        positives = self.counts[:, 1].sum()
        return float(2 * hits / (negatives + hits + positives)) if positives else None

    def best_dice(self) -> tuple[float, float]:
        """The threshold with the highest Dice, and that Dice, on validation data. ValueError without positives."""
        fp, tp = np.cumsum(self.counts[::-1], 0).T
        if not len(tp) or not tp[-1]:
            raise ValueError("there are no positives, so no threshold has a Dice")
        dice = 2 * tp / (tp + fp + tp[-1])
        best = int(np.argmax(dice))
        return float(self.scores[::-1][best]), float(dice[best])

    def _gather(self, keys: list[NDArray[np.uint32]], counts: list[NDArray[np.int64]]) -> None:
        """Hold the sums of these counts, each key once."""
        every = np.concatenate(keys)
        order = np.argsort(every, kind="stable")  # merges runs that are sorted already in linear time
        every = every[order]
        starts = np.flatnonzero(np.append(True, every[1:] != every[:-1])[: every.size])
        if starts.size:
            # `take` moves whole rows, which indexing does ten times slower.
            rows = np.concatenate(counts).take(order, axis=0)
            self.keys, self.counts = every[starts], np.add.reduceat(rows, starts, axis=0)


def pooled(histograms: Iterable[ScoreHistogram]) -> ScoreHistogram:
    """One histogram of all scores of these; they stay as they are."""
    parts = [part for part in histograms if part.keys.size]
    total = ScoreHistogram()
    if sum(part.keys.size for part in parts) < _FEW:
        total._gather([total.keys, *(part.keys for part in parts)], [total.counts, *(part.counts for part in parts)])
        return total
    low, high = min(part.keys[0] for part in parts), max(part.keys[-1] for part in parts)
    sums = np.zeros((2, int(high - low) + 1), np.int64)
    for part in parts:
        places = (part.keys - low).astype(np.intp)
        for total_of_class, found in zip(sums, part.counts.T, strict=True):
            np.add.at(total_of_class, places, found)
    return ScoreHistogram.of_keys(np.arange(low, high + np.uint32(1), dtype=np.uint32), *sums)


def within(scores: ArrayLike, positive: ArrayLike, inside: ArrayLike) -> tuple[ScoreHistogram, ScoreHistogram]:
    """Histograms of all scores, and of those inside a region alone, which is cheaper than two; all of one shape.

    Raises ValueError on NaN or when the shapes differ.
    """
    values, truth = _checked(scores, positive, np.float32)
    region = np.asarray(inside, bool)
    if region.shape != np.shape(scores):
        raise ValueError(f"scores have shape {np.shape(scores)}, their region {region.shape}")
    label = region.ravel() * np.uint8(2) + truth
    every, region_alone = ScoreHistogram(), ScoreHistogram()
    for start in range(0, values.size, MOST):
        part = slice(start, start + MOST)
        keys, counts = counted(values[part], label[part], 4)
        for total, found in zip((every, region_alone), by_region(keys, counts), strict=True):
            total.merge(found)
    return every, region_alone


def by_region(keys: NDArray[np.uint32], counts: NDArray[np.int64]) -> tuple[ScoreHistogram, ScoreHistogram]:
    """Of all scores, and of those inside, from counts (n, 4) of keys: negatives and positives outside, then inside."""
    # Column by column: rows of two are added ten times slower.
    negatives, positives, negatives_inside, positives_inside = counts.T
    every = ScoreHistogram.of_keys(keys, negatives + negatives_inside, positives + positives_inside)
    return every, ScoreHistogram.of_keys(keys, negatives_inside, positives_inside)


def rank(scores: ArrayLike, positive: ArrayLike) -> Ranking:
    """Exact figures of some thousand scores, such as one per slice; infinities are extreme scores.

    Raises ValueError on NaN or when the shapes differ.
    """
    values, truth = _checked(scores, positive, np.float64)
    place = np.unique(values, return_inverse=True)[1]
    return _ranking(np.bincount(place * 2 + truth, minlength=2 * int(place.max(initial=0)) + 2).reshape(-1, 2))


def matched_auroc(scores: ArrayLike, positive: ArrayLike, stratum: ArrayLike) -> float | None:
    """AUROC over the pairs of one stratum alone: of these, the share in which the positive scores higher.

    It adjusts for what defines the strata, as the covariate-adjusted AUROC of Janes and Pepe (Biometrika 96, 2009)
    does, with each stratum weighted by its pairs. All (n,). None when no stratum holds both classes.
    """
    values, truth, place = np.asarray(scores), np.asarray(positive, bool), np.asarray(stratum)
    right = pairs = 0.0
    for one in np.unique(place):
        ranking = rank(values[place == one], truth[place == one])
        found = ranking.positives * ranking.negatives
        right += (ranking.auroc or 0.0) * found
        pairs += found
    return right / pairs if pairs else None


def rankings_of(counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUROC and AP of many histograms over common, ascending bins: counts (R, bins, 2) to two arrays (R,).

    Not a number where a class that the figure needs is absent. bins must not be 0.
    """
    fp = np.cumsum(counts[:, ::-1, 0], 1)
    tp = np.cumsum(counts[:, ::-1, 1], 1)
    hits = counts[:, ::-1, 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        # Each positive beats the negatives in the bins below it and half of those in its own.
        beaten = fp[:, -1:] - fp + counts[:, ::-1, 0] / 2
        auroc = (hits * beaten).sum(1) / (tp[:, -1] * fp[:, -1])
        precision = np.where(tp + fp > 0, tp / (tp + fp), 0.0)
        average = (hits * precision).sum(1) / tp[:, -1]
    return auroc, average


def _ranking(counts: NDArray[np.int64]) -> Ranking:
    negatives, positives = (int(total) for total in counts.sum(0))
    if not positives:
        return Ranking(None, None, positives, negatives)
    auroc, precision = rankings_of(counts[None].astype(np.float64))
    return Ranking(float(auroc[0]) if negatives else None, float(precision[0]), positives, negatives)


def _checked(scores: ArrayLike, positive: ArrayLike, kind: type[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Both flat."""
    values, truth = np.asarray(scores, kind), np.asarray(positive, bool)
    if values.shape != truth.shape:
        raise ValueError(f"scores have shape {values.shape}, their truth {truth.shape}")
    if values.size and np.isnan(values.min()):  # NaN if any score is, without a temporary
        raise ValueError(f"{int(np.isnan(values).sum())} of {values.size} scores are NaN")
    return values.ravel(), truth.ravel()
