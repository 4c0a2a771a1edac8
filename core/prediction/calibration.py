"""A fixed, strictly increasing scale for anomaly maps, from logits to (0, 1), set on held-out healthy slices.

A detector's softmax saturates: many voxels become exactly 1 in float16, as which some challenges read maps, and their
order is lost. Here a value tells how rare a logit is in healthy tissue, so that maps of several detectors can be
averaged:

    0.16   one healthy tissue pixel in ten is higher          0.38   one in 1,000
    0.27   one in a hundred                                   0.49   one in 10,000
    0.49 to 0.95   more than nearly all healthy tissue, up to the strongest pseudo-outliers of the probe

The ends approach 0.001 and 0.99 without reaching them. 0 is left for voxels that were not scored.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import BadInput
from core.evaluation import Evaluation
from core.metrics import ScoreHistogram, pooled

LOWEST, HIGHEST = 0.001, 0.99
_SHARES = (0.01, 0.25, 0.5, 0.75, 0.9, 0.97, 0.99, 0.997, 0.999, 0.9997, 0.9999)
_BASE, _PER_DECADE = 0.05, 0.11  # value = base + per decade of rarity
RARE = _BASE + 2 * _PER_DECADE
"""The value that one healthy tissue pixel in a hundred exceeds."""
_STRONGEST = (0.999, 0.95)  # of the probe's pseudo-outlier pixels, and the value it gets
_LEAST_STEP = 1e-3  # logits between two knots


@dataclass(frozen=True)
class Calibration:
    """Knots (logit, value), both strictly increasing; straight lines between, hyperbolas beyond. Raises BadInput."""

    logits: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        knots = np.array([self.logits, self.values], np.float64) if len(self.logits) == len(self.values) else None
        if knots is None or knots.shape[1] < 2 or not np.isfinite(knots).all() or (np.diff(knots) <= 0).any():
            raise BadInput("a calibration needs two or more knots whose logits and values both increase")
        if not LOWEST < self.values[0] < self.values[-1] < HIGHEST:
            raise BadInput(f"calibration values {self.values[0]} to {self.values[-1]}, expected {LOWEST} to {HIGHEST}")

    @classmethod
    def of(cls, evaluation: Evaluation) -> "Calibration":
        """From a detector's result on a probe, or on held-out healthy slices. Raises BadInput when none is healthy."""
        healthy = pooled(pixels for (_, family), pixels in evaluation.tissue.items() if not family)
        return cls.from_histograms(healthy, pooled(evaluation.tissue.values()))

    @classmethod
    def from_histograms(cls, healthy: ScoreHistogram, everything: ScoreHistogram) -> "Calibration":
        """Logits of healthy tissue (the negatives), and of pseudo-outliers (the positives of `everything`)."""
        if not healthy.counts[:, 0].sum():
            raise BadInput("the probe has no healthy slice, which a calibration needs")
        shares = np.array(_SHARES)
        logits = _quantiles(healthy, 0, shares).tolist()
        values = (_BASE - _PER_DECADE * np.log10(1 - shares)).tolist()
        # Where many pixels share a logit, the rarest of its shares counts.
        kept = [n for n, low in enumerate(logits) if n + 1 == len(logits) or logits[n + 1] - low >= _LEAST_STEP]
        knots = [(logits[n], values[n]) for n in kept]
        share, value = _STRONGEST
        ceiling = logits[-1] + max(1.0, logits[-1] - logits[0])
        if everything.counts[:, 1].sum():
            strongest = float(_quantiles(everything, 1, np.array([share]))[0])
            # A detector that finds no pseudo-outlier would leave no room above healthy tissue.
            ceiling = strongest if strongest > logits[-1] + 1.0 else ceiling
        knots.append((ceiling, value))
        return cls(*(tuple(float(one) for one in column) for column in zip(*knots, strict=True)))

    def __call__(self, logits: ArrayLike) -> NDArray[np.float32]:
        """Values in [0.001, 0.99] of logits of any shape, infinities included. Raises ValueError on NaN."""
        given = np.asarray(logits, np.float64)
        if np.isnan(given).any():
            raise ValueError("a logit is NaN")
        first, last = self.logits[0], self.logits[-1]
        width = max(last - first, 1.0)
        found = np.interp(given, self.logits, self.values)
        below, above = np.maximum(first - given, 0) / width, np.maximum(given - last, 0) / width
        found -= (self.values[0] - LOWEST) * (1 - 1 / (1 + below))
        found += (HIGHEST - self.values[-1]) * (1 - 1 / (1 + above))
        return found.astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"logits": list(self.logits), "values": list(self.values)}


def _quantiles(pixels: ScoreHistogram, positive: int, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.cumsum(pixels.counts[:, positive])
    places = np.searchsorted(total, shares * total[-1])
    return np.asarray(pixels.scores[places], np.float64)
