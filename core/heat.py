"""Anomaly maps as heat for looking at."""

import numpy as np
from numpy.typing import NDArray

_LOW, _HIGH = 50.0, 99.8  # percentiles of all pixels between which the heat runs


def heat_of(maps: NDArray[np.float16] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps (n, H, W) of one detector on a scale of their own in [0, 1]; scales of two detectors cannot be compared."""
    values = maps.astype(np.float32)
    low, high = np.percentile(values, [_LOW, _HIGH])
    return np.asarray(np.clip((values - low) / max(float(high - low), 1e-6), 0, 1), np.float32)
