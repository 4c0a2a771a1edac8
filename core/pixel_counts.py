"""Pixel scores counted by subject and family, over the frame and over tissue, on the device that made them.

On an accelerator no map is copied to the host: counts stay on the device until its table is full, and nothing in
between waits for it.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.metrics import ScoreHistogram, within
from core.score_keys import BITS

Group = tuple[str, str]
"""Subject and family."""
_LABELS = 4  # anomalous or not, on tissue or not
_BINS = _LABELS << BITS
_MOST = 2**31 - 1  # counts of a bin


class Histograms(NamedTuple):
    """Pixel histograms by group, over the frame and over tissue."""

    frame: dict[Group, ScoreHistogram]
    tissue: dict[Group, ScoreHistogram]

    def merge(self, group: Group, frame: ScoreHistogram, tissue: ScoreHistogram) -> None:
        """Add counts to a group."""
        self.frame.setdefault(group, ScoreHistogram()).merge(frame)
        self.tissue.setdefault(group, ScoreHistogram()).merge(tissue)


class PixelCounts(Protocol):
    """Counts scores of slices, batch by batch."""

    def add(self, maps: Tensor, images: Tensor, truth: Tensor, groups: Sequence[Group]) -> None:
        """maps (B, H, W) float32, images (tissue is above 0) and truth (0 and 1) of the same shape; B groups.

        Slices of one group come together, so that it is done with when the next begins.
        """
        ...

    def histograms(self) -> Histograms:
        """All counts so far. Raises ValueError when a score was NaN."""
        ...


def counting(device: torch.device) -> PixelCounts:
    """The fastest way to count on this device."""
    return HostCounts() if device.type == "cpu" else DeviceCounts(device)


class HostCounts:
    """With NumPy, where maps are in the host's memory anyway. `add` raises ValueError on NaN."""

    def __init__(self) -> None:
        self._found = Histograms({}, {})

    def add(self, maps: Tensor, images: Tensor, truth: Tensor, groups: Sequence[Group]) -> None:
        """See PixelCounts."""
        for group, rows in _runs(groups):
            inside = (images[rows] > 0).numpy()
            self._found.merge(group, *within(maps[rows].numpy(), truth[rows].numpy(), inside))

    def histograms(self) -> Histograms:
        """See PixelCounts."""
        return self._found


class DeviceCounts:
    """With torch, in a table of 16 MiB for each of `places` groups that are counted at a time.

    When it is full, what was counted is copied to the host: the only time that the host waits for the device. The
    counts are those of `HostCounts`, exactly.
    """

    def __init__(self, device: torch.device, places: int = 16) -> None:
        self._places = places
        self._table = torch.zeros(places * _BINS, dtype=torch.int32, device=device)
        self._nan = torch.zeros((), dtype=torch.int64, device=device)
        self._one = torch.ones(1, dtype=torch.int32, device=device)
        self._held: list[Group] = []
        self._waiting = self._added = 0
        self._found = Histograms({}, {})

    def add(self, maps: Tensor, images: Tensor, truth: Tensor, groups: Sequence[Group]) -> None:
        """See PixelCounts; all on the device."""
        label = (images > 0).int() << 1 | (truth > 0).int()
        codes = _keys(maps) << 2 | label
        self._nan += torch.isnan(maps).sum()
        for group, rows in _runs(groups):
            pixels = codes[rows].numel()
            if self._waiting + pixels > _MOST or (group not in self._held and len(self._held) == self._places):
                self._empty()
            if group not in self._held:
                self._held.append(group)
            place = self._held.index(group) * _BINS
            chosen = codes[rows].reshape(-1).long()
            self._table[place : place + _BINS].scatter_add_(0, chosen, self._one.expand(pixels))
            self._waiting += pixels
            self._added += pixels

    def histograms(self) -> Histograms:
        """See PixelCounts."""
        self._empty()
        return self._found

    def _empty(self) -> None:
        """Copy what was counted to the host, and begin anew."""
        used = self._table[: len(self._held) * _BINS].view(-1, _LABELS)
        outside, inside = used.view(torch.int64).unbind(1)  # two counts at once, as only whether they are 0 is asked
        every, region = ((each != 0).nonzero()[:, 0] for each in (outside | inside, inside))
        counts = used[every]
        parts = (every, counts[:, :2] + counts[:, 2:]), (region, used[region][:, 2:])
        found = [[each.cpu().numpy() for each in part] for part in parts]
        if nan := int(self._nan):
            raise ValueError(f"{nan} of {self._added} scores are NaN")
        frame, tissue = (self._by_group(*part) for part in found)
        for group, *both in zip(self._held, frame, tissue, strict=True):
            self._found.merge(group, *both)
        used.zero_()
        self._held.clear()
        self._waiting = 0

    def _by_group(self, keys: NDArray[np.int64], counts: NDArray[np.int32]) -> Iterator[ScoreHistogram]:
        """Of each group that is held, from keys (n,) of the table that occur and their counts (n, 2)."""
        ends = np.searchsorted(keys, np.arange(len(self._held) + 1) << BITS)
        for place, (start, end) in enumerate(pairwise(ends)):
            found = ScoreHistogram()
            found.keys = (keys[start:end] - (place << BITS)).astype(np.uint32)
            found.counts = counts[start:end].astype(np.int64)
            yield found


def _keys(scores: Tensor) -> Tensor:
    """`score_keys.keys_of` in torch: int32, of the same shape."""
    bits = (scores.float() + 0).view(torch.int32)
    flipped = (bits >> 31 | -(2**31)) ^ bits
    return flipped >> 32 - BITS & (1 << BITS) - 1  # shifting keeps the sign, which is no part of a key


def _runs(groups: Sequence[Group]) -> list[tuple[Group, slice]]:
    """Each group with the rows that it has in a row."""
    found, start = [], 0
    for group, rows in groupby(groups):
        end = start + len(list(rows))
        found.append((group, slice(start, end)))
        start = end
    return found
