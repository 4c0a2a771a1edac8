"""Constrained adversarial autoencoder (Chen & Konukoglu, 2018): latents of healthy slices are made to look like noise.

A slice and its reconstruction are held to the same latent, so that what is no healthy tissue is not carried over. The
latent is spatial, so that slices of any size do.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from core.detectors.protocol import Batch
from core.detectors.residual import residual_map
from core.detectors.towers import SLOPE, down, up
from core.detectors.wasserstein import critic_loss, frozen, opinion
from core.losses import Combo
from core.strict import STRICT


@dataclass(frozen=True)
class AAE:
    """Sizes of the autoencoder and the weights of its losses; rho, kappa and penalty as in Baur's comparison.

    latent: planes of the latent. critic: channels of the critic of latents.
    rho: weight of the distance between the latents of a slice and of its reconstruction; 0 is a plain AAE.
    kappa: weight of the adversary. penalty: weight of the critic's gradient penalty.
    """

    kind: Literal["aae"] = "aae"
    base: Annotated[int, Ge(1), Le(256)] = 16
    depth: Annotated[int, Ge(1), Le(6)] = 4
    latent: Annotated[int, Ge(1), Le(1024)] = 8
    critic: Annotated[int, Ge(1), Le(1024)] = 64
    rho: Annotated[float, Ge(0)] = 1.0
    kappa: Annotated[float, Gt(0)] = 1.0
    penalty: Annotated[float, Gt(0)] = 10.0

    uses_outliers: ClassVar[bool] = False
    betas: ClassVar[tuple[float, float]] = (0.5, 0.9)
    staged: ClassVar[bool] = False
    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def build(self, _loss: Combo) -> "AAEDetector":
        """A detector with fresh weights from torch's current random state."""
        return AAEDetector(self)


class AAEDetector(nn.Module):
    """Autoencoder and critic of latents behind the two verbs of a detector."""

    def __init__(self, shape: AAE) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = down(shape.base, shape.depth, shape.latent)
        self.decoder = up(shape.latent, shape.base, shape.depth)
        self.critic = nn.Sequential(
            nn.Conv2d(shape.latent, shape.critic, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(shape.critic, shape.critic, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(shape.critic, 1, 1),
        )

    def training_loss(self, batch: Batch) -> Tensor:
        """The autoencoder's loss plus the critic's: neither's weights get a gradient from the other's part.

        Distances are squared norms, summed over a slice and over its latent, averaged over the batch.
        """
        shape = self.shape
        latent = self.encoder(batch.clean)
        rebuilt = self.decoder(latent)
        reconstruction = _squared(rebuilt, batch.clean)
        consistency = _squared(self.encoder(rebuilt), latent)
        adversary = -opinion(frozen(self.critic, latent)).mean()
        normal = torch.randn(latent.shape, generator=batch.generator, device=latent.device)
        judged = critic_loss(self.critic, normal, latent, shape.penalty, batch.generator)
        return reconstruction + shape.rho * consistency + shape.kappa * adversary + judged

    def reconstruction(self, image: Tensor) -> Tensor:
        """Slices (B, 1, H, W) as the decoder makes them from their latents."""
        rebuilt: Tensor = self.decoder(self.encoder(image))
        return rebuilt.float()

    def samples(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Slices decoded from N(0, 1), as many as `like` (B, 1, H, W) has."""
        shape = self.encoder(like).shape
        drawn: Tensor = self.decoder(torch.randn(shape, generator=generator, device=like.device))
        return drawn.float()

    def forward(self, image: Tensor) -> Tensor:
        """The anomaly map, so that torch's own tools can call the detector as a module."""
        return self.anomaly_map(image)

    def anomaly_map(self, image: Tensor) -> Tensor:
        """How far the slice lies from its reconstruction, on tissue, as logits."""
        return residual_map(image, self.reconstruction(image))


def _squared(one: Tensor, other: Tensor) -> Tensor:
    return (one.float() - other.float()).square().flatten(1).sum(1).mean()
