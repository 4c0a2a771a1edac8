"""The floor: scores that need no training of a detector. What does not beat them has learned nothing of use.

Meissen et al. showed that thresholding equalised intensity rivals many published detectors; it is printed beside ours.
Averaged over a neighbourhood it is stronger still, and every network averages: so both are there, raw and smoothed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.evaluation import Scorer, evaluate
from core.slices.table import SliceTable

WINDOWS: Sequence[int] = (6, 10, 14, 18, 22, 30)
"""Sides of the windows that are tried, in 1/128 of the slice's."""
_UNITS = 128


@dataclass(frozen=True)
class Baseline:
    """A score (B, H, W) in [0, 1] as logits, which keeps its ranking, for slices (B, H, W).

    window: odd number of pixels; of the square over whose tissue the score is averaged, 1 for none.
    """

    score: Scorer
    window: int = 1

    def __call__(self, batch: Tensor) -> Tensor:
        """The map of a batch."""
        score = self.score(batch)
        return torch.logit(score if self.window == 1 else _averaged(score, batch > 0, self.window), eps=1e-4)


def floor_scorers(images: NDArray[np.uint8], probe: SliceTable, device: torch.device) -> dict[str, Baseline]:
    """The baselines by name, from healthy training slices (N, H, W) uint8.

    intensity: the slice itself. deviation: |slice - mean training slice|. Both also smoothed: averaged over the tissue
    in a window, that of WINDOWS which has the highest pixel AP on the probe. position: the mean training slice.
    tissue: 1 on tissue, 0 around it. Its pixel figures are what knowing the background is worth; the mean of its map is
    the tissue's area, so its sample figures are what the height of a slice in the head gives away.
    """
    total = np.zeros(images.shape[1:], np.float64)
    for start in range(0, len(images), 1024):
        total += images[start : start + 1024].sum(0, dtype=np.float64)
    mean = torch.from_numpy((total / (255 * len(images))).astype(np.float32)).to(device)

    def intensity(batch: Tensor) -> Tensor:
        return batch

    def deviation(batch: Tensor) -> Tensor:
        return (batch - mean).abs()

    return {
        "intensity": Baseline(intensity),
        "smoothed intensity": _smoothed(intensity, probe, device),
        "deviation": Baseline(deviation),
        "smoothed deviation": _smoothed(deviation, probe, device),
        "position": Baseline(mean.expand_as),
        "tissue": Baseline(lambda batch: (batch > 0).float()),
    }


def _smoothed(score: Scorer, probe: SliceTable, device: torch.device) -> Baseline:
    side = max(probe.height, probe.width)
    sizes = sorted({max(3, 2 * (window * side // (2 * _UNITS)) + 1) for window in WINDOWS})  # odd
    tried = [Baseline(score, size) for size in sizes]
    # Of equals, or on a table without anomalies, the smallest.
    return max(tried, key=lambda one: evaluate(one, probe, device=device).figures().get("pixel.average_precision") or 0)


def _averaged(score: Tensor, tissue: Tensor, window: int) -> Tensor:
    """Mean of the score over the tissue in the window of each pixel of tissue, 0 elsewhere."""
    both = torch.stack([torch.where(tissue, score, 0), tissue.float()], 1)
    for shape in ((window, 1), (1, window)):
        both = functional.avg_pool2d(both, shape, 1, (shape[0] // 2, shape[1] // 2))
    total, share = both.unbind(1)
    return torch.where(tissue, total / share.clamp_min(1e-6), 0)
