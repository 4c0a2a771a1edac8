"""Restoring a map of codes: what the prior finds unlikely is drawn again, place by place (Marimont & Tarroni, 2021)."""

import torch
from torch import Tensor

from core.detectors.vqvae.prior import Prior, Reader

_SEED = 0


def restore(prior: Prior, codes: Tensor, doubtful: Tensor, times: int) -> Tensor:
    """Codes (times, B, h, w): at doubtful places drawn again given what comes before, elsewhere as they were.

    codes: (B, h, w) int64. doubtful: (B, h, w) bool.
    The draws follow from place and repetition alone: a slice is restored the same in any batch. Rows are read in turn;
    within one, each step draws one place of every map that still has one, so what is not doubtful costs nothing.
    """
    count, height, width = codes.shape
    kinds = prior.names.num_embeddings
    generator = torch.Generator().manual_seed(_SEED)
    uniform = torch.rand(times, height * width, kinds, generator=generator).clamp(1e-9, 1 - 1e-7)
    chance = (-(-uniform.log()).log()).to(codes.device)  # Gumbel: the largest sum with the logits is a draw
    restored = codes.repeat(times, 1, 1)
    doubtful = doubtful.repeat(times, 1, 1)
    repetition = torch.arange(times, device=codes.device).repeat_interleave(count)
    reader = Reader(prior, times * count, height, width)
    for row in range(height):
        reader.enter(restored[:, row - 1] if row else None)
        left = doubtful[:, row].sum(1)
        # The doubtful places of each map come first, in reading order.
        columns = doubtful[:, row].int().argsort(dim=1, descending=True, stable=True)
        for step in range(int(left.max()) if len(left) else 0):
            maps = (left > step).nonzero()[:, 0]
            column = columns[maps, step]
            features = reader.features(restored[maps, row], maps)
            logits = prior.logits(features[torch.arange(len(maps), device=codes.device), column])
            drawn = logits + chance[repetition[maps], row * width + column]
            restored[maps, row, column] = drawn.argmax(-1)
    return restored.view(times, count, height, width)


def sample(prior: Prior, count: int, height: int, width: int) -> Tensor:
    """Maps (count, h, w) drawn from the prior alone: what it takes for healthy."""
    device = prior.likely.weight.device
    codes = torch.zeros(1, height, width, dtype=torch.int64, device=device)
    return restore(prior, codes, torch.ones_like(codes, dtype=torch.bool), count)[:, 0]
