"""Slices by the size of their lesion: small ones are missed first, and a mean over all hides it."""

import numpy as np
from numpy.typing import NDArray

from core.slices.table import SliceTable

CLASSES = 4
_BATCH = 512


def lesion_areas(table: SliceTable) -> NDArray[np.int64]:
    """Anomalous pixels of each slice of a table, (N,)."""
    starts = range(0, len(table), _BATCH)
    rows = (np.arange(start, min(start + _BATCH, len(table))) for start in starts)
    return np.concatenate([np.count_nonzero(table.masks(some), axis=(1, 2)) for some in rows]).astype(np.int64)


def size_classes(areas: NDArray[np.int64], count: int = CLASSES) -> dict[tuple[int, int], NDArray[np.bool_]]:
    """Slices (N,) by the bounds of their lesion's area, in pixels, both included.

    (0, 0) are the slices without a lesion; the others are divided so that the classes hold like numbers of slices.
    Like areas share a class, so there may be fewer than `count`.
    """
    lesions = areas[areas > 0]
    found = {(0, 0): areas == 0}
    if len(lesions):
        edges = np.unique(np.quantile(lesions, np.arange(1, count) / count, method="inverted_cdf"))
        place = np.where(areas > 0, np.searchsorted(edges, areas), -1)
        for one in np.unique(place[place >= 0]):
            chosen = place == one
            found[int(areas[chosen].min()), int(areas[chosen].max())] = chosen
    return found
