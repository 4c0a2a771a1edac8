"""A codebook that follows the encoder by exponential averages (van den Oord et al., 2017), its entries kept alive."""

import torch
from torch import Tensor, nn

DECAY = 0.97  # of the averages, for each step
ALIVE = 0.05  # entries used less than this share of an even use are put to work elsewhere
APART = 0.01  # standard deviations of the latents, around which such an entry begins


class Codebook(nn.Module):
    """`size` entries of `width` numbers; no gradient reaches them.

    use: (size,) average share of the latents that each entry stands for, 0 at first, so that the first batch fills it.
    totals: (size, width) average sum of these latents; entries are totals / use.
    """

    entries: Tensor
    use: Tensor
    totals: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("entries", torch.randn(size, width))
        self.register_buffer("use", torch.zeros(size))
        self.register_buffer("totals", torch.zeros(size, width))

    def codes(self, latents: Tensor) -> Tensor:
        """The nearest entry (B, h, w) int64 of each of the latents (B, width, h, w)."""
        # In bfloat16 the product's rounding would choose another entry for one latent in six.
        with torch.autocast(latents.device.type, enabled=False):
            places = latents.float().permute(0, 2, 3, 1)
            squares = self.entries.square().sum(1)
            return (squares - 2 * places @ self.entries.T).argmin(-1)

    def look_up(self, codes: Tensor) -> Tensor:
        """The entries (B, width, h, w) of codes (B, h, w)."""
        return self.entries[codes].permute(0, 3, 1, 2)

    @torch.no_grad()
    def follow(self, latents: Tensor, codes: Tensor, generator: torch.Generator) -> None:
        """Move the entries towards the latents that chose them; dead ones take up the place of a random latent."""
        places = latents.detach().float().permute(0, 2, 3, 1).flatten(0, 2)
        chosen = codes.flatten()
        size = len(self.entries)
        count = torch.zeros_like(self.use).index_add_(0, chosen, torch.ones_like(places[:, 0]))
        total = _added(torch.zeros_like(self.totals), chosen, places)
        self.use.lerp_(count / len(places), 1 - DECAY)
        self.totals.lerp_(total / len(places), 1 - DECAY)
        at = torch.randint(len(places), (size,), generator=generator, device=places.device)
        # Two entries at one latent would be a tie, and which of them is nearest a matter of rounding.
        apart = torch.randn(self.entries.shape, generator=generator, device=places.device)
        fresh = places[at] + APART * places.std() * apart
        dead = (self.use * size < ALIVE)[:, None]
        self.use.copy_(torch.where(dead[:, 0], 1 / size, self.use))
        self.totals.copy_(torch.where(dead, fresh / size, self.totals))
        self.entries.copy_(self.totals / self.use[:, None])


def _added(totals: Tensor, chosen: Tensor, places: Tensor) -> Tensor:
    """Add each of the places (n, width) to the row of the totals that it chose, always in the same order.

    On a GPU `index_add_` adds in any order, and rounds otherwise each time; on a CPU `index_put_` does.
    """
    if totals.is_cuda:
        return totals.index_put_((chosen,), places, accumulate=True)
    return totals.index_add_(0, chosen, places)
