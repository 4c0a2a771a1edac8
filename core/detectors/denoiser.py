"""Denoising autoencoder (Kascenas et al., 2022): a U-Net that removes what was done to a healthy slice.

What it does to a slice with a lesion is the anomaly map. The corruption is the configuration's synthesis; coarse noise
over the whole tissue is Kascenas's, the preset `dae`. He smooths the map and leaves out the tissue's rim; both are part
of `core.postprocessing` here.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from core.detectors.protocol import Batch
from core.detectors.residual import residual_map
from core.detectors.unet import Norm, UNet
from core.losses import Combo
from core.strict import STRICT


@dataclass(frozen=True)
class Denoiser:
    """Size and normalisation of the U-Net; the defaults are Kascenas's, whose `depth` of 4 counts levels, not halvings.

    His weight-standardised convolutions, Swish, average pooling and reflected borders are not taken over.
    """

    kind: Literal["denoiser"] = "denoiser"
    base: Annotated[int, Ge(1), Le(256)] = 64
    depth: Annotated[int, Ge(1), Le(6)] = 3
    norm: Norm = "group"

    uses_outliers: ClassVar[bool] = True
    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    staged: ClassVar[bool] = False
    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def build(self, _loss: Combo) -> "DenoiserDetector":
        """A detector with fresh weights from torch's current random state."""
        return DenoiserDetector(self)


class DenoiserDetector(nn.Module):
    """U-Net and squared error behind the two verbs of a detector."""

    def __init__(self, shape: Denoiser) -> None:
        super().__init__()
        self.unet = UNet(shape.base, shape.depth, shape.norm, outputs=1)

    def training_loss(self, batch: Batch) -> Tensor:
        """Mean squared error over the tissue. Around it the slice is given as it was: no scan has noise there."""
        tissue = batch.clean > 0
        restored = self.reconstruction(torch.where(tissue, batch.image, batch.clean))
        loss: Tensor = ((restored - batch.clean) ** 2 * tissue).sum() / tissue.sum().clamp_min(1)
        return loss

    def forward(self, image: Tensor) -> Tensor:
        """The anomaly map, so that torch's own tools can call the detector as a module."""
        return self.anomaly_map(image)

    def reconstruction(self, image: Tensor) -> Tensor:
        """The slices (B, 1, H, W) without what does not belong there."""
        restored: Tensor = self.unet(image).float()
        return restored

    def anomaly_map(self, image: Tensor) -> Tensor:
        """How far the slice lies from its denoised self, on tissue, as logits."""
        return residual_map(image, self.reconstruction(image))
