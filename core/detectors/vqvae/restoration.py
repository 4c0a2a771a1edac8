"""Restoring a map of codes: what the prior finds unlikely is drawn again, place by place (Marimont & Tarroni, 2021)."""

import torch
from torch import Tensor

from core.detectors.vqvae.prior import Prior

_SEED = 0


def restore(prior: Prior, codes: Tensor, doubtful: Tensor, times: int) -> Tensor:
    """Codes (times, B, h, w): at doubtful places drawn again given what comes before, elsewhere as they were.

    codes: (B, h, w) int64. doubtful: (B, h, w) bool.
    The draws follow from place and repetition alone: a slice is restored the same in any batch. Each step draws one
    place of every slice that still has one, so what is not doubtful costs nothing.
    """
    count, height, width = codes.shape
    kinds = prior.names.num_embeddings
    generator = torch.Generator().manual_seed(_SEED)
    uniform = torch.rand(times, height * width, kinds, generator=generator).clamp(1e-9, 1 - 1e-7)
    chance = -(-uniform.log()).log().to(codes.device)  # Gumbel: the largest sum with the logits is a draw
    restored = codes.repeat(times, 1, 1, 1)
    left = doubtful.flatten(1).sum(1)
    # The doubtful places of each slice come first, in reading order.
    places = doubtful.flatten(1).int().argsort(dim=1, descending=True, stable=True)
    for step in range(int(left.max()) if count else 0):
        slices = (left > step).nonzero()[:, 0]
        place = places[slices, step]
        row, column = place // width, place % width
        current = restored[:, slices]
        features = prior.features(current.flatten(0, 1)).view(times, len(slices), height, width, -1)
        each = torch.arange(len(slices), device=codes.device)
        logits = prior.logits(features[:, each, row, column])
        restored[:, slices, row, column] = (logits + chance[:, place]).argmax(-1)
    return restored


def sample(prior: Prior, count: int, height: int, width: int) -> Tensor:
    """Maps (count, h, w) drawn from the prior alone: what it takes for healthy."""
    device = prior.likely.weight.device
    codes = torch.zeros(1, height, width, dtype=torch.int64, device=device)
    return restore(prior, codes, torch.ones_like(codes, dtype=torch.bool), count)[:, 0]
