"""Context encoder (Pathak et al., 2016), without its adversary: an autoencoder that restores erased regions.

It has learned to fill regions from what lies around them, so a lesion too becomes what belongs in its place. The
regions are the configuration's synthesis; the preset `context-encoder` erases squares.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le
from torch import Tensor, nn

from core.detectors.protocol import Batch
from core.detectors.residual import residual_map
from core.detectors.strided import StridedNorm, decoder, encoder
from core.losses import Combo
from core.strict import STRICT


@dataclass(frozen=True)
class ContextEncoder:
    """Sizes; the defaults are Pathak's, but for the first layer, where his is twice as wide.

    latent: planes of the latent; at 128x128 its 16 places hold his 4000 numbers, which he connects fully.
    elsewhere: weight of a pixel outside the erased region, where one inside has 1. Pathak's is 0, since he scores
        nothing there; a whole slice can only be scored by one that restores all of it.
    """

    kind: Literal["context-encoder"] = "context-encoder"
    base: Annotated[int, Ge(1), Le(256)] = 32
    depth: Annotated[int, Ge(1), Le(6)] = 5
    latent: Annotated[int, Ge(1), Le(4096)] = 250
    norm: StridedNorm = "batch"
    elsewhere: Annotated[float, Ge(0), Le(1)] = 0.1

    uses_outliers: ClassVar[bool] = True
    betas: ClassVar[tuple[float, float]] = (0.5, 0.999)
    staged: ClassVar[bool] = False
    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def build(self, _loss: Combo) -> "ContextEncoderDetector":
        """A detector with fresh weights from torch's current random state."""
        return ContextEncoderDetector(self)


class ContextEncoderDetector(nn.Module):
    """Encoder, decoder and a weighted squared error behind the two verbs of a detector."""

    def __init__(self, shape: ContextEncoder) -> None:
        super().__init__()
        self.elsewhere = shape.elsewhere
        self.encoder = encoder(shape.base, 2, shape.depth, shape.latent, shape.norm)
        self.decoder = decoder(shape.base, 2, shape.depth, shape.latent, shape.norm)

    def training_loss(self, batch: Batch) -> Tensor:
        """Weighted mean squared error."""
        erased = batch.mask[:, None]
        weight = erased + self.elsewhere * (1 - erased)
        wrong = (self.reconstruction(batch.image) - batch.clean) ** 2
        loss: Tensor = (weight * wrong).sum() / weight.sum().clamp_min(1)
        return loss

    def forward(self, image: Tensor) -> Tensor:
        """The anomaly map, so that torch's own tools can call the detector as a module."""
        return self.anomaly_map(image)

    def reconstruction(self, image: Tensor) -> Tensor:
        """The slices (B, 1, H, W) as they pass through the latent."""
        restored: Tensor = self.decoder(self.encoder(image)).float()
        return restored

    def anomaly_map(self, image: Tensor) -> Tensor:
        """How far the slice lies from its reconstruction, on tissue, as logits."""
        return residual_map(image, self.reconstruction(image))
