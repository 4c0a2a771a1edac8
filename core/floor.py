"""The floor: scores that need no training of a detector. What does not beat them has learned nothing of use.

Meissen et al. showed that thresholding equalised intensity rivals many published detectors; it is printed beside ours.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.evaluation import Scorer


def floor_scorers(images: NDArray[np.uint8], device: torch.device) -> dict[str, Scorer]:
    """The baselines by name, from healthy training slices (N, H, W) uint8.

    intensity: the slice itself. deviation: |slice - mean training slice|. position: the mean training slice.
    tissue: 1 on tissue, 0 around it. Its pixel figures are what knowing the background is worth; the mean of its map is
    the tissue's area, so its sample figures are what the height of a slice in the head gives away.
    Their maps are scaled to logits like a detector's, which keeps every ranking as it is.
    """
    total = np.zeros(images.shape[1:], np.float64)
    for start in range(0, len(images), 1024):
        total += images[start : start + 1024].sum(0, dtype=np.float64)
    mean = torch.from_numpy((total / (255 * len(images))).astype(np.float32)).to(device)

    def as_logits(score: Tensor) -> Tensor:
        return torch.logit(score, eps=1e-4)

    return {
        "intensity": as_logits,
        "deviation": lambda batch: as_logits((batch - mean).abs()),
        "position": lambda batch: as_logits(mean.expand_as(batch)),
        "tissue": lambda batch: as_logits((batch > 0).float()),
    }
