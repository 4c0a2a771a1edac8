"""Scores as keys that keep their order, and how often each key occurs."""

from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

BITS = 20
"""Of a key: they hold float16 and bfloat16, and move AP by at most 6e-5; 18 are faster, but move it by 2e-4."""
MOST = 1 << 30
"""Scores that are counted at once: no count outgrows 32 bits."""
_SHIFT = np.uint32(32 - BITS)
_CHUNK = 1 << 18  # scores at a time: few enough that temporaries stay in the processor's cache
_FEW = 1 << 18  # sorting fewer scores than these is cheaper than searching and clearing the bins
_LOWEST, _HIGHEST = np.uint32(0x007FFFFF), np.uint32(0xFF800000)  # the infinities in order-preserving form
_bins = local()  # 16 MiB a thread, kept: to get them anew from the system takes as long as to count a batch


def keys_of(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Order-preserving keys: negative floats are complemented, others get the top bit. Adding 0 turns -0 into 0."""
    bits = (values + np.float32(0)).view(np.int32)
    flipped: NDArray[np.int32] = bits >> 31 | np.int32(-(2**31))  # all ones where negative, else the top bit
    flipped ^= bits
    return flipped.view(np.uint32) >> _SHIFT


def lowest(keys: NDArray[np.uint32]) -> NDArray[np.float32]:
    """The lowest score that has each key; a key beyond an infinity is that infinity."""
    ordered = np.clip(keys << _SHIFT, _LOWEST, _HIGHEST)
    bits: NDArray[np.uint32] = np.where(ordered >> np.uint32(31), ordered ^ np.uint32(1 << 31), ~ordered)
    return bits.view(np.float32)


def counted(
    values: NDArray[np.float32], label: NDArray[Any], labels: int
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The keys (n,) that occur, ascending, and how often each does under each label, (n, labels).

    values, label: (m,), no NaN, at most MOST; labels are 0 or 1 when there are 2 of them, 0 to 3 when there are 4.
    """
    shift = np.uint32(labels // 2)
    return _by_key(*(_sorted if values.size < _FEW else _binned)(values, label, shift), labels)


def _by_key(
    codes: NDArray[np.uint32], found: NDArray[np.integer], labels: int
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Counts (m,) of ascending codes, each key * labels + label, to what `counted` gives."""
    keys = codes >> np.uint32(labels // 2)
    first = np.append(True, keys[1:] != keys[:-1])[: keys.size]
    counts = np.zeros((int(first.sum()), labels), np.int64)
    counts[np.cumsum(first) - 1, codes & np.uint32(labels - 1)] = found
    return keys[first], counts


def _sorted(
    values: NDArray[np.float32], label: NDArray[Any], shift: np.uint32
) -> tuple[NDArray[np.uint32], NDArray[np.integer]]:
    return np.unique(keys_of(values) << shift | label, return_counts=True)


def _binned(
    values: NDArray[np.float32], label: NDArray[Any], shift: np.uint32
) -> tuple[NDArray[np.uint32], NDArray[np.integer]]:
    if not hasattr(_bins, "counts"):
        _bins.counts = np.zeros(4 << BITS, np.int32)
    counts: NDArray[np.int32] = _bins.counts
    low, high = counts.size, 0
    try:
        for start in range(0, values.size, _CHUNK):
            part = slice(start, start + _CHUNK)
            codes = (keys_of(values[part]) << shift | label[part]).astype(np.intp)
            low, high = min(low, int(codes.min())), max(high, int(codes.max()))
            np.add.at(counts, codes, np.int32(1))
        # Booleans are searched several times faster than numbers.
        found = np.flatnonzero(counts[low : high + 1] != 0) + low
        return found.astype(np.uint32), counts[found]
    finally:
        counts[low : high + 1] = 0
