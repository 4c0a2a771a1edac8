"""The paper's detector: a U-Net that segments pseudo-outliers (section II.B)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le
from torch import Tensor, nn

from core.detectors.protocol import Batch
from core.detectors.unet import Norm, UNet
from core.losses import Combo
from core.strict import STRICT


@dataclass(frozen=True)
class Segmenter:
    """Size and normalisation of the U-Net; the defaults are Fig. 2."""

    kind: Literal["segmenter"] = "segmenter"
    base: Annotated[int, Ge(1), Le(256)] = 32
    depth: Annotated[int, Ge(1), Le(6)] = 4
    norm: Norm = "batch"

    uses_outliers: ClassVar[bool] = True
    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    staged: ClassVar[bool] = False
    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def build(self, loss: Combo) -> "SegmenterDetector":
        """A detector with fresh weights from torch's current random state."""
        return SegmenterDetector(self, loss)


class SegmenterDetector(nn.Module):
    """U-Net and combo loss behind the two verbs of a detector."""

    def __init__(self, shape: Segmenter, loss: Combo) -> None:
        super().__init__()
        self.unet = UNet(shape.base, shape.depth, shape.norm)
        self.loss = loss

    def training_loss(self, batch: Batch) -> Tensor:
        """The combo loss of the batch (eq. 3)."""
        loss: Tensor = self.loss(self.anomaly_map(batch.image), batch.mask)
        return loss

    def forward(self, image: Tensor) -> Tensor:
        """The anomaly map, so that torch's own tools can call the detector as a module."""
        return self.anomaly_map(image)

    def anomaly_map(self, image: Tensor) -> Tensor:
        """Logit differences (B, H, W): their sigmoid is the softmax's outlier channel, the paper's anomaly map."""
        logits: Tensor = self.unet(image).float()
        return logits[:, 1] - logits[:, 0]
