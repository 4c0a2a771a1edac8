"""How an anomaly map becomes one anomaly score per slice. `mean` is the paper's; the others are named alternatives."""

from typing import get_args

import torch
from torch import Tensor
from torch.nn import functional

from core.config import ScoreName

SCORES: tuple[ScoreName, ...] = get_args(ScoreName)
TOP = 0.05  # share of the pixels that the `top` scores average


def sample_scores(logits: Tensor, image: Tensor) -> dict[ScoreName, Tensor]:
    """Every score of a batch, each (B,) float32 in [0, 1].

    logits: anomaly maps (B, H, W) as logit differences. image: the slices (B, H, W), 0 outside the tissue.

    mean: of the anomaly probability over the frame (section II). top: mean of the most anomalous 5 % of pixels.
    smooth_max: maximum after averaging over windows of 1/16 of a side. foreground_*: the same over tissue only.
    """
    probability = logits.float().sigmoid()
    height, width = probability.shape[1:]
    flat = probability.flatten(1)
    tissue = (image > 0).flatten(1)
    pixels = tissue.sum(1).clamp_min(1)
    window = max(1, height // 16) // 2 * 2 + 1
    # The mean of a window is the mean of its columns' means, also where the frame cuts it.
    columns = functional.avg_pool2d(probability[:, None], (window, 1), 1, (window // 2, 0), count_include_pad=False)
    smooth = functional.avg_pool2d(columns, (1, window), 1, (0, window // 2), count_include_pad=False)
    count = max(1, round(TOP * height * width))
    # Outside the tissue -1 sorts last and is never averaged, as the number of averaged pixels follows the tissue; that
    # is `count` at most.
    ranked = torch.where(tissue, flat, -1.0).topk(count, 1).values
    kept = (TOP * pixels).round().clamp_min(1)
    place = torch.arange(count, device=flat.device)
    averaged = torch.where(place < kept[:, None], ranked.clamp_min(0), 0.0)
    # Sums in float32 are rounded by how many pixels they are of, and slices with equal maps would be ranked by the area
    # of their tissue.
    exact = torch.float64
    found: dict[ScoreName, Tensor] = {
        "mean": flat.mean(1, dtype=exact),
        "top": flat.topk(count, 1).values.mean(1, dtype=exact),
        "smooth_max": smooth.flatten(1).amax(1),
        "foreground_mean": (flat * tissue).sum(1, dtype=exact) / pixels,
        "foreground_top": averaged.sum(1, dtype=exact) / kept,
    }
    return {name: values.float() for name, values in found.items()}
