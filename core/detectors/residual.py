"""Distances between a slice and what a detector makes of it, as anomaly maps."""

import torch
from torch import Tensor

SMALLEST = 1e-4


def as_logits(distance: Tensor) -> Tensor:
    """Distances, of which 1 and more are the largest, as the logits that every anomaly map holds: none is reordered.

    Below 1e-4, less than a grey level's fortieth, they count as none.
    """
    return torch.logit(distance.float().clamp(SMALLEST, 1 - SMALLEST))


def residual_map(image: Tensor, reconstruction: Tensor) -> Tensor:
    """How far slices (B, 1, H, W) lie from their reconstructions, on tissue (image > 0), as logits (B, H, W)."""
    return as_logits(torch.where(image > 0, (image - reconstruction).abs(), 0)[:, 0])
