"""VQ-VAE with an autoregressive prior (Marimont & Tarroni, 2021): a slice becomes a map of codes, codes that healthy
slices would not have are drawn again, and what that changes is the anomaly.

First encoder, codebook and decoder learn, then the prior. Until there is a prior, the map is the plain residual.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn
from torch.nn import functional

from core.detectors.protocol import Batch
from core.detectors.residual import as_logits
from core.detectors.towers import down, up
from core.detectors.vqvae.codebook import Codebook
from core.detectors.vqvae.prior import Prior
from core.detectors.vqvae.restoration import restore, sample
from core.losses import Combo
from core.strict import STRICT


@dataclass(frozen=True)
class VQVAE:
    """Sizes of the autoencoder and of the prior, and how slices are restored.

    codes: entries of the codebook. latent: numbers of an entry. commitment: weight of the latents' distance to them.
    prior_from: share of the training after which the autoencoder stays and the prior learns.
    prior_width, prior_layers: channels and depth of the prior.
    quantile: codes less likely than this share of healthy codes are drawn again, `restorations` times.
    temperature: restorations near to the slice count more, by softmax(temperature / distance), the distance in
        standard deviations of the slice's tissue.
    """

    kind: Literal["vq-vae"] = "vq-vae"
    base: Annotated[int, Ge(1), Le(256)] = 16
    depth: Annotated[int, Ge(1), Le(6)] = 3
    codes: Annotated[int, Ge(2), Le(4096)] = 128
    latent: Annotated[int, Ge(1), Le(1024)] = 64
    commitment: Annotated[float, Gt(0)] = 0.25
    prior_from: Annotated[float, Gt(0), Lt(1)] = 0.5
    prior_width: Annotated[int, Ge(1), Le(512)] = 64
    prior_layers: Annotated[int, Ge(1), Le(64)] = 8
    quantile: Annotated[float, Gt(0), Lt(1)] = 0.9
    restorations: Annotated[int, Ge(1), Le(100)] = 15
    temperature: Annotated[float, Ge(0)] = 3.0

    uses_outliers: ClassVar[bool] = False
    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    staged: ClassVar[bool] = True
    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def build(self, _loss: Combo) -> "VQVAEDetector":
        """A detector with fresh weights from torch's current random state."""
        return VQVAEDetector(self)


class VQVAEDetector(nn.Module):
    """Autoencoder, codebook and prior behind the verbs of a detector.

    prior_steps: of the prior's training that are done. threshold: in nats, above which codes are drawn again; infinite
    until it has been measured with a prior.
    """

    prior_steps: Tensor
    threshold: Tensor

    def __init__(self, shape: VQVAE) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = down(shape.base, shape.depth, shape.latent)
        self.codebook = Codebook(shape.codes, shape.latent)
        self.decoder = up(shape.latent, shape.base, shape.depth)
        self.prior = Prior(shape.codes, shape.prior_width, shape.prior_layers)
        self.register_buffer("prior_steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("threshold", torch.tensor(math.inf))

    def training_loss(self, batch: Batch) -> Tensor:
        """First reconstruction (mean L1) and commitment, later the prior's negative log likelihood in nats a code."""
        if batch.progress >= self.shape.prior_from:
            self.prior_steps.add_(1)
            return self.prior.surprise(self.codes(batch.clean)).mean()
        latents = self.encoder(batch.clean).float()
        codes = self.codebook.codes(latents)
        nearest = self.codebook.look_up(codes)
        # Straight through: the decoder sees the entry, the encoder gets its gradient.
        rebuilt = self.decoder(latents + (nearest - latents).detach())
        loss = functional.l1_loss(rebuilt.float(), batch.clean)
        loss = loss + self.shape.commitment * functional.mse_loss(latents, nearest)
        self.codebook.follow(latents, codes, batch.generator)
        return loss

    @torch.no_grad()
    def settle(self, clean: Iterable[Tensor]) -> None:
        """Measure how unlikely the codes of healthy slices are, once there is a prior."""
        if self.prior_steps > 0:
            found = torch.cat([self.prior.surprise(self.codes(image)).flatten() for image in clean])
            self.threshold.fill_(float(np.quantile(found.cpu().numpy(), self.shape.quantile)))

    @torch.no_grad()
    def codes(self, image: Tensor) -> Tensor:
        """Codes (B, h, w) int64 of slices (B, 1, H, W)."""
        return self.codebook.codes(self.encoder(image))

    def decode(self, codes: Tensor) -> Tensor:
        """Slices (B, 1, H, W) of codes (B, h, w)."""
        slices: Tensor = self.decoder(self.codebook.look_up(codes))
        return slices.float()

    def forward(self, image: Tensor) -> Tensor:
        """The anomaly map, so that torch's own tools can call the detector as a module."""
        return self.anomaly_map(image)

    @torch.no_grad()
    def anomaly_map(self, image: Tensor) -> Tensor:
        """How far the slice lies from its restorations, smoothed, on tissue, as logits."""
        restorations, weights = self.restorations(image)
        distance = (weights[:, :, None, None, None] * (image - restorations).abs()).sum(0)
        return as_logits(torch.where(image > 0, _smooth(distance), 0)[:, 0])

    def reconstruction(self, image: Tensor) -> Tensor:
        """The weighted mean (B, 1, H, W) of the restorations."""
        restorations, weights = self.restorations(image)
        return (weights[:, :, None, None, None] * restorations).sum(0)

    @torch.no_grad()
    def samples(self, like: Tensor, _generator: torch.Generator) -> Tensor:
        """Slices decoded from codes that the prior draws, always the same ones, as many as `like` (B, 1, H, W) has."""
        count, _, height, width = like.shape
        step: int = 2**self.shape.depth
        return self.decode(sample(self.prior, count, height // step, width // step))

    @torch.no_grad()
    def restorations(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Restored slices (N, B, 1, H, W), and their weights (N, B) that sum to 1 over N."""
        # In float32: rounding that differs between batches would turn codes.
        with torch.autocast(image.device.type, enabled=False):
            codes = self.codes(image)
            doubtful = self.prior.surprise(codes) > self.threshold
            times = self.shape.restorations if bool(doubtful.any()) else 1
            restored = restore(self.prior, codes, doubtful, times)
            slices = torch.stack([self.decode(one) for one in restored])
        tissue = image > 0
        pixels = tissue.flatten(1).sum(1).clamp_min(1)
        mean = image.flatten(1).sum(1) / pixels
        offsets = torch.where(tissue, image - mean[:, None, None, None], 0)
        spread = (offsets.square().flatten(1).sum(1) / pixels).sqrt()
        apart = torch.where(tissue, (slices - image).abs(), 0).flatten(2).sum(2) / pixels
        return slices, (self.shape.temperature * (spread / apart.clamp_min(1e-6))).softmax(0)


def _smooth(distance: Tensor) -> Tensor:
    """Least of 3x3 pixels, then mean of 7x7, at the authors' 160 pixels a side and scaled to others."""
    least, mean = (_odd(pixels / 160 * distance.shape[2]) for pixels in (3, 7))
    smallest = -functional.max_pool2d(-distance, least, 1, least // 2)
    return functional.avg_pool2d(smallest, mean, 1, mean // 2, count_include_pad=False)


def _odd(pixels: float) -> int:
    """The nearest odd number."""
    return int(pixels / 2) * 2 + 1
