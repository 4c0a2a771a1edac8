"""Every pixel guessed from those around it, by one convolution that does not see the pixel itself."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn import functional

from core.detectors.protocol import Batch
from core.detectors.residual import residual_map
from core.losses import Combo
from core.strict import STRICT


@dataclass(frozen=True)
class Surroundings:
    """reach: pixels on each side that are seen. depth: how often slices must be divisible by 2."""

    kind: Literal["surroundings"] = "surroundings"
    reach: Annotated[int, Ge(1), Le(32)] = 4

    depth: ClassVar[int] = 0
    uses_outliers: ClassVar[bool] = False
    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    staged: ClassVar[bool] = False
    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def build(self, _loss: Combo) -> "SurroundingsDetector":
        """A detector with fresh weights from torch's current random state."""
        return SurroundingsDetector(self)


class SurroundingsDetector(nn.Module):
    """Trained on healthy slices; what it cannot guess is new to it."""

    def __init__(self, shape: Surroundings) -> None:
        super().__init__()
        self.guess = nn.Conv2d(1, 1, 2 * shape.reach + 1, padding=shape.reach)

    def training_loss(self, batch: Batch) -> Tensor:
        """Mean squared error."""
        return functional.mse_loss(self.reconstruction(batch.clean), batch.clean)

    def reconstruction(self, image: Tensor) -> Tensor:
        """Slices (B, 1, H, W) to slices of the same shape."""
        weight = self.guess.weight.clone()
        weight[:, :, weight.shape[2] // 2, weight.shape[3] // 2] = 0
        return functional.conv2d(image, weight, self.guess.bias, padding="same").float()

    def anomaly_map(self, image: Tensor) -> Tensor:
        """How far each pixel lies from the guess, on tissue, as logits (B, H, W)."""
        return residual_map(image, self.reconstruction(image))
