"""Variational autoencoder, and with a context weight ceVAE (Zimmerer et al., 2018), as in the MOOD challenge's example.

A slice is anomalous where it is badly reconstructed, where its latent would become likelier if the pixel changed, or
where both is so.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Le, Lt
from torch import Tensor, nn
from torch.nn import functional

from core.detectors.protocol import Batch
from core.detectors.residual import residual_map
from core.detectors.strided import StridedNorm, decoder, encoder
from core.errors import BadConfig
from core.losses import Combo
from core.strict import STRICT

_SIGMA = 3 / 128  # of the smoothing of gradients, in sides; the example's 3 pixels at 128x128
_LEAST = 1e-3  # residuals below a quarter of a grey level are rounding
_FLOOR = 1e-12


@dataclass(frozen=True)
class VAE:
    """Sizes, losses and score; the defaults are those of the MOOD example's ceVAE without its context part.

    base, growth: channels base, base * growth, ... after each of `depth` halvings.
    latent: planes of the latent; at 128x128 its 64 places hold the example's 512 numbers, which it connects fully.
    beta: weight of the KL divergence, mean over the latent, beside the distance, mean over pixels scaled to [-1, 1].
    context_weight: share of the loss that restores the configuration's pseudo-outliers, as ceVAE does with erased
        squares; 0 is a plain VAE, which sees healthy slices alone.
    scored_by: `reconstruction` |x - x'|; `kl-gradient` |d KL / dx|, smoothed; `combined` that times (x - x')^2.
    """

    kind: Literal["vae"] = "vae"
    base: Annotated[int, Ge(1), Le(256)] = 16
    growth: Annotated[int, Ge(1), Le(4)] = 4
    depth: Annotated[int, Ge(1), Le(6)] = 4
    latent: Annotated[int, Ge(1), Le(1024)] = 8
    norm: StridedNorm = "none"
    distance: Literal["l1", "l2"] = "l1"
    beta: Annotated[float, Ge(0)] = 0.01
    context_weight: Annotated[float, Ge(0), Lt(1)] = 0.0
    scored_by: Literal["reconstruction", "kl-gradient", "combined"] = "reconstruction"

    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    staged: ClassVar[bool] = False
    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    @property
    def uses_outliers(self) -> bool:
        """Whether pseudo-outliers have a part in the loss."""
        return self.context_weight > 0

    def build(self, _loss: Combo) -> "VAEDetector":
        """A detector with fresh weights from torch's current random state."""
        return VAEDetector(self)


class VAEDetector(nn.Module):
    """Encoder, decoder and the evidence bound behind the two verbs of a detector."""

    def __init__(self, shape: VAE) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = encoder(shape.base, shape.growth, shape.depth, 2 * shape.latent, shape.norm)
        self.decoder = decoder(shape.base, shape.growth, shape.depth, shape.latent, shape.norm)

    def training_loss(self, batch: Batch) -> Tensor:
        """(1 - context_weight) * (distance + beta * KL) + context_weight * distance of the restored slices."""
        mean, log_std = self.latent(batch.clean)
        loss = self._distance(self._decoded(mean, log_std, batch.generator), batch.clean)
        loss = loss + self.shape.beta * divergence(mean, log_std).mean()
        if not self.shape.uses_outliers:
            return loss
        restored = self._decoded(*self.latent(batch.image), batch.generator)
        return torch.lerp(loss, self._distance(restored, batch.clean), self.shape.context_weight)

    def forward(self, image: Tensor) -> Tensor:
        """The anomaly map, so that torch's own tools can call the detector as a module."""
        return self.anomaly_map(image)

    def latent(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the standard deviation of the latent, each (B, latent, h, w)."""
        mean, log_std = self.encoder(2 * image - 1).float().chunk(2, 1)
        return mean, log_std.clamp(-8, 8)

    def reconstruction(self, image: Tensor) -> Tensor:
        """The slices (B, 1, H, W) decoded from the mean of their latent."""
        return self._decoded(self.latent(image)[0])

    def samples(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Slices decoded from N(0, 1), as many as `like` (B, 1, H, W) has."""
        mean, _ = self.latent(like)
        return self._decoded(torch.zeros_like(mean), torch.zeros_like(mean), generator)

    def anomaly_map(self, image: Tensor) -> Tensor:
        """On tissue, residuals as logits; of the other scores, which have no upper end, the logarithm."""
        if self.shape.scored_by == "reconstruction":
            return residual_map(image, self.reconstruction(image))
        unusual = smoothed(self.kl_gradient(image))
        if self.shape.scored_by == "combined":
            unusual = unusual * (image - self.reconstruction(image)).abs().clamp_min(_LEAST) ** 2
        return torch.where(image > 0, unusual, 0).clamp_min(_FLOOR).log()[:, 0]

    def kl_gradient(self, image: Tensor) -> Tensor:
        """|d KL / dx| of each slice (B, 1, H, W), KL being summed over the slice's own latent. Raises BadConfig."""
        if torch.compiler.is_exporting():
            raise BadConfig(
                f"detector.scored_by = {self.shape.scored_by!r}: needs gradients, which an exported file cannot take; "
                "expected 'reconstruction'"
            )
        # Inference tensors know no gradients, not even here; their copies do.
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(image.device.type, enabled=False):
            seen = image.detach().clone().requires_grad_()
            (gradient,) = torch.autograd.grad(divergence(*self.latent(seen)).sum(), seen)
        return gradient.abs()

    def _decoded(self, mean: Tensor, log_std: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Slices in [0, 1] from latents, drawn where a deviation is given."""
        if log_std is not None:
            noise = torch.randn(mean.shape, generator=generator, device=mean.device)
            mean = mean + log_std.exp() * noise
        decoded: Tensor = (self.decoder(mean).float() + 1) / 2
        return decoded

    def _distance(self, restored: Tensor, clean: Tensor) -> Tensor:
        """On the scale of [-1, 1]."""
        apart = 2 * (restored - clean)
        return apart.abs().mean() if self.shape.distance == "l1" else (apart**2).mean()


def divergence(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL divergence of N(mean, std) from N(0, 1), elementwise, in nats."""
    return (mean**2 + (2 * log_std).exp() - 1) / 2 - log_std


def smoothed(planes: Tensor) -> Tensor:
    """Planes (B, 1, H, W) blurred by a Gaussian that is cut at its standard deviation, as the example's is."""
    sigma = max(_SIGMA * planes.shape[2], 0.5)
    reach = max(1, round(sigma))
    offsets = torch.arange(-reach, reach + 1, device=planes.device, dtype=planes.dtype)
    taps = torch.exp(-(offsets**2) / (2 * sigma**2))
    taps = taps / taps.sum()
    padded = functional.pad(planes, (reach, reach, reach, reach), mode="replicate")
    return functional.conv2d(functional.conv2d(padded, taps[None, None, :, None]), taps[None, None, None, :])
