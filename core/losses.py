"""The combo loss of the paper, equations 3 to 5."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le
from torch import Tensor
from torch.nn import functional

from core.strict import STRICT


@dataclass(frozen=True)
class Combo:
    """alpha * Dice + (1 - alpha) * BCE (eq. 3).

    smooth: added to numerator and denominator of Dice, so that slices without an outlier have a loss and a gradient.
    dice: one Dice per slice, then the mean (eq. 4 is written for one image), or one over the batch.
    """

    alpha: Annotated[float, Ge(0), Le(1)] = 0.5
    smooth: Annotated[float, Gt(0)] = 1.0
    dice: Literal["slice", "batch"] = "slice"

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __call__(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Mean loss of logit differences (B, H, W), outlier minus normal, against a mask (B, H, W) of 0 and 1.

        BCE is the mean over pixels: as the printed sum (eq. 5) it would outweigh Dice by the number of pixels.
        The softmax over two channels equals the sigmoid of their difference; this form is stable for any logit.
        """
        logits, mask = logits.float(), mask.float()
        bce = functional.binary_cross_entropy_with_logits(logits, mask)
        return self.alpha * self._dice(logits.sigmoid(), mask) + (1 - self.alpha) * bce

    def _dice(self, probability: Tensor, mask: Tensor) -> Tensor:
        over = (1, 2) if self.dice == "slice" else (0, 1, 2)
        overlap = (probability * mask).sum(over)
        total = probability.sum(over) + mask.sum(over)
        return (1 - (2 * overlap + self.smooth) / (total + self.smooth)).mean()
