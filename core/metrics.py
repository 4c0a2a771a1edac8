"""Ranking metrics of any number of scores in bounded memory: AUROC and average precision from mergeable counts."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

_BITS = 20
_SHIFT = np.uint32(32 - _BITS)
_CHUNK = 1 << 17  # scores at a time: temporaries stay in the processor's cache


@dataclass(frozen=True)
class Ranking:
    """auroc is None unless both classes are present, average_precision is None without positives."""

    auroc: float | None
    average_precision: float | None
    positives: int
    negatives: int

    @property
    def prevalence(self) -> float:
        """Share of positives."""
        return self.positives / max(1, self.positives + self.negatives)


class Curves(NamedTuple):
    """Points of the ROC and precision-recall curves, the strictest threshold first; all (n,)."""

    threshold: NDArray[np.float64]
    false_positive_rate: NDArray[np.float64]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]


class ScoreHistogram:
    """Counts of negatives and positives per score key, in ascending order of the score; only occupied keys are held.

    A key is the upper 20 bits of a float32, in an order-preserving form: sign, exponent, eleven bits of mantissa. On
    scores that a key represents, figures are scikit-learn's; others are ties within a relative 1/2048.
    """

    def __init__(self) -> None:
        self.keys: NDArray[np.uint32] = np.empty(0, np.uint32)
        self.counts: NDArray[np.int64] = np.empty((0, 2), np.int64)

    def add(self, scores: ArrayLike, positive: ArrayLike) -> None:
        """Count scores, any shape, with their truth. Raises ValueError on NaN or when the shapes differ."""
        values = np.asarray(scores, np.float32)
        truth = np.asarray(positive, bool)
        if values.shape != truth.shape:
            raise ValueError(f"scores have shape {values.shape}, their truth {truth.shape}")
        values, truth = values.ravel(), truth.ravel()
        # A sum of NaN-free values may overflow to infinity but is never NaN unless infinities of both signs meet.
        if values.size and np.isnan(values.min()):
            raise ValueError(f"{int(np.isnan(values).sum())} of {values.size} scores are NaN")
        if values.size < _CHUNK:  # sorting a few is cheaper than counting into every bin
            pairs, found = np.unique(_keys(values) * np.uint32(2) + truth, return_counts=True)
            few = np.zeros((len(pairs), 2), np.int64)
            few[np.arange(len(pairs)), pairs & 1] = found
            self._merge((pairs >> 1).astype(np.uint32), few)
            return
        dense = np.zeros(2 << _BITS, np.int64)
        for start in range(0, values.size, _CHUNK):
            keys = _keys(values[start : start + _CHUNK]) * np.uint32(2) + truth[start : start + _CHUNK]
            dense += np.bincount(keys, minlength=dense.size)
        pairs = dense.reshape(-1, 2)
        occupied = np.flatnonzero(pairs.any(1)).astype(np.uint32)
        self._merge(occupied, pairs[occupied])

    def merge(self, other: "ScoreHistogram") -> None:
        """Add another histogram's counts to this one."""
        self._merge(other.keys, other.counts)

    def __add__(self, other: "ScoreHistogram") -> "ScoreHistogram":
        total = ScoreHistogram()
        total.merge(self)
        total.merge(other)
        return total

    @property
    def scores(self) -> NDArray[np.float32]:
        """The score that each key represents, (n,): the lowest in magnitude of those that share it."""
        ordered = self.keys.astype(np.uint32) << _SHIFT
        negative = ordered < np.uint32(0x80000000)
        bits = np.where(negative, ~ordered & ~np.uint32((1 << int(_SHIFT)) - 1), ordered & np.uint32(0x7FFFFFFF))
        return bits.astype(np.uint32).view(np.float32)

    def ranking(self) -> Ranking:
        """AUROC by the trapezoid (ties count half) and AP = sum of (R_n - R_n-1) P_n (each tie one threshold)."""
        negatives, positives = (int(total) for total in self.counts.sum(0))
        if not positives:
            return Ranking(None, None, positives, negatives)
        auroc, precision = rankings_of(self.counts[None].astype(np.float64))
        return Ranking(float(auroc[0]) if negatives else None, float(precision[0]), positives, negatives)

    def thinned_curves(self, points: int = 400) -> Curves:
        """At most `points` points of both curves, evenly spread over recall and false positive rate, ends included."""
        fp, tp = np.cumsum(self.counts[::-1], 0).T.astype(np.float64)
        if not len(tp) or not tp[-1]:
            return Curves(*(np.empty(0),) * 4)
        recall, rate = tp / tp[-1], fp / max(fp[-1], 1)
        grid = np.linspace(0, 1, points // 2)
        kept = np.unique(np.concatenate([np.searchsorted(recall, grid), np.searchsorted(rate, grid), [len(tp) - 1]]))
        kept = kept[kept < len(tp)]
        return Curves(self.scores[::-1][kept].astype(np.float64), rate[kept], recall[kept], (tp / (tp + fp))[kept])

    def dice_at(self, threshold: float) -> float | None:
        """Dice of the pixels scored at least `threshold` against the positives; None without positives."""
        above = self.keys >= _keys(np.array([threshold], np.float32))[0]
        negatives, hits = self.counts[above].sum(0)
        positives = self.counts[:, 1].sum()
        return float(2 * hits / (hits + negatives + positives)) if positives else None

    def best_dice(self) -> tuple[float, float]:
        """The threshold with the highest Dice, and that Dice: to be chosen on validation, never on test data.

        Raises ValueError without positives.
        """
        fp, tp = np.cumsum(self.counts[::-1], 0).T
        if not len(tp) or not tp[-1]:
            raise ValueError("there are no positives, so no threshold has a Dice")
        dice = 2 * tp / (tp + fp + tp[-1])
        best = int(np.argmax(dice))
        return float(self.scores[::-1][best]), float(dice[best])

    def _merge(self, keys: NDArray[np.uint32], counts: NDArray[np.int64]) -> None:
        """keys ascending; one may occur twice, once for each class."""
        union = np.union1d(self.keys, keys)
        merged = np.zeros((union.size, 2), np.int64)
        merged[np.searchsorted(union, self.keys)] = self.counts
        np.add.at(merged, np.searchsorted(union, keys), counts)
        self.keys, self.counts = union, merged


def rankings_of(counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUROC and AP of many histograms over common, ascending bins: counts (R, bins, 2) to two arrays (R,).

    Not a number where a class that the figure needs is absent.
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


def rank(scores: ArrayLike, positive: ArrayLike) -> Ranking:
    """Exact figures of a few thousand scores, such as one per slice. Raises ValueError on NaN."""
    values, truth = np.asarray(scores, np.float64).ravel(), np.asarray(positive, bool).ravel()
    positives = int(truth.sum())
    negatives = truth.size - positives
    return Ranking(
        float(roc_auc_score(truth, values)) if positives and negatives else None,
        float(average_precision_score(truth, values)) if positives else None,
        positives,
        negatives,
    )


def _keys(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Order-preserving keys: negative floats are complemented, positive ones get the top bit; -0 becomes 0 first."""
    bits = (values + np.float32(0)).view(np.uint32)
    return np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(0x80000000)) >> _SHIFT
