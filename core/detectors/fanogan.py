"""f-AnoGAN (Schlegl et al., 2019): a generator of healthy slices, then an encoder that finds a slice's nearest one.

The latent is spatial, so that slices of any size do; its planes of coordinates tell the generator where it is. Both
stages share the training's one Adam.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn
from torch.nn import functional

from core.detectors.protocol import Batch
from core.detectors.residual import as_logits
from core.detectors.towers import SLOPE, Coordinates, down, up
from core.detectors.wasserstein import critic_loss, frozen, opinion
from core.losses import Combo
from core.strict import STRICT


@dataclass(frozen=True)
class FAnoGAN:
    """Sizes of generator, critic and encoder, and how they take turns.

    latent: planes of the latent; at 64x64 and depth 4, eight are Schlegl's 128 numbers.
    critic_turns: steps of the critic for each one of the generator. penalty: weight of the gradient penalty.
    encoder_from: share of the training after which generator and critic stay and the encoder learns (izi_f).
    kappa: weight of the critic's features in the encoder's loss.
    feature_weight: what the features' residual of a slice adds to each of its tissue's pixels; 0 leaves it out.
    """

    kind: Literal["f-anogan"] = "f-anogan"
    base: Annotated[int, Ge(1), Le(256)] = 32
    depth: Annotated[int, Ge(1), Le(6)] = 4
    latent: Annotated[int, Ge(1), Le(1024)] = 8
    critic_turns: Annotated[int, Ge(1), Le(100)] = 5
    penalty: Annotated[float, Gt(0)] = 10.0
    encoder_from: Annotated[float, Gt(0), Lt(1)] = 0.5
    kappa: Annotated[float, Ge(0)] = 1.0
    feature_weight: Annotated[float, Ge(0)] = 0.0

    uses_outliers: ClassVar[bool] = False
    betas: ClassVar[tuple[float, float]] = (0.0, 0.9)
    staged: ClassVar[bool] = True
    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def build(self, _loss: Combo) -> "FAnoGANDetector":
        """A detector with fresh weights from torch's current random state."""
        return FAnoGANDetector(self)


class FAnoGANDetector(nn.Module):
    """Generator, critic and encoder behind the two verbs of a detector."""

    steps: Tensor

    def __init__(self, shape: FAnoGAN) -> None:
        super().__init__()
        self.shape = shape
        top = shape.base * 2**shape.depth
        self.generator = nn.Sequential(Coordinates(), up(shape.latent + 2, shape.base, shape.depth), nn.Sigmoid())
        self.features = down(shape.base, shape.depth, top, norm="none")
        self.judge = nn.Sequential(
            nn.LeakyReLU(SLOPE), nn.Conv2d(top, top, 3, padding=1), nn.LeakyReLU(SLOPE), nn.Conv2d(top, 1, 1)
        )
        self.encoder = down(shape.base, shape.depth, shape.latent)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def training_loss(self, batch: Batch) -> Tensor:
        """The loss of whose turn it is: critic or generator, and later the encoder."""
        if batch.progress >= self.shape.encoder_from:
            return self._encoder_loss(batch.clean)
        turn = int(self.steps) % (self.shape.critic_turns + 1)
        self.steps.add_(1)
        critic = nn.Sequential(self.features, self.judge)
        latent = self.noise(batch.clean, batch.generator)
        if turn < self.shape.critic_turns:
            with torch.no_grad():
                fake = self.generator(latent)
            return critic_loss(critic, batch.clean, fake, self.shape.penalty, batch.generator)
        return -opinion(frozen(critic, self.generator(latent))).mean()

    def noise(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Latents N(0, 1), one for each of the slices (B, 1, H, W), for the generator to make slices of."""
        count, _, height, width = image.shape
        step: int = 2**self.shape.depth
        shape = (count, self.shape.latent, height // step, width // step)
        return torch.randn(shape, generator=generator, device=image.device)

    def _encoder_loss(self, clean: Tensor) -> Tensor:
        rebuilt = frozen(self.generator, self.encoder(clean))
        with torch.no_grad():
            wanted = self.features(clean).float()
        found = frozen(self.features, rebuilt).float()
        return functional.mse_loss(rebuilt.float(), clean) + self.shape.kappa * functional.mse_loss(found, wanted)

    def reconstruction(self, image: Tensor) -> Tensor:
        """The generator's slices (B, 1, H, W) nearest to these, as far as the encoder finds them."""
        rebuilt: Tensor = self.generator(self.encoder(image))
        return rebuilt.float()

    def samples(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """The generator's slices of N(0, 1), as many as `like` (B, 1, H, W) has."""
        drawn: Tensor = self.generator(self.noise(like, generator))
        return drawn.float()

    def forward(self, image: Tensor) -> Tensor:
        """The anomaly map, so that torch's own tools can call the detector as a module."""
        return self.anomaly_map(image)

    def anomaly_map(self, image: Tensor) -> Tensor:
        """How far the slice lies from the generator's nearest, on tissue, as logits."""
        rebuilt = self.reconstruction(image)
        distance = (image - rebuilt).abs()
        if self.shape.feature_weight > 0:
            apart = (self.features(image).float() - self.features(rebuilt).float()).square().mean((1, 2, 3))
            distance = distance + self.shape.feature_weight * apart[:, None, None, None]
        return as_logits(torch.where(image > 0, distance, 0)[:, 0])
