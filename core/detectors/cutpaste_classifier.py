"""CutPaste's classifier (Li et al., 2021): tells slices with a pseudo-outlier from those without, then measures how far
a slice's embedding lies from those of healthy slices.

It judges whole slices. Its anomaly map is one value over all tissue of a slice: it claims no place, and pixel-level
figures of it say no more than where tissue is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import log
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn import functional

from core.detectors.protocol import Batch
from core.detectors.towers import SLOPE, down
from core.losses import Combo
from core.strict import STRICT

_NEAREST = 1e-4  # squared distances below this share of the expected count as none


@dataclass(frozen=True)
class CutPasteClassifier:
    """Size of the classifier. The synthesis draws its pseudo-outliers; some slices must be left healthy.

    embedding: numbers that describe a slice.
    """

    kind: Literal["cutpaste-classifier"] = "cutpaste-classifier"
    base: Annotated[int, Ge(1), Le(256)] = 16
    depth: Annotated[int, Ge(1), Le(6)] = 4
    embedding: Annotated[int, Ge(2), Le(1024)] = 64

    uses_outliers: ClassVar[bool] = True
    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    staged: ClassVar[bool] = False
    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def build(self, _loss: Combo) -> "CutPasteClassifierDetector":
        """A detector with fresh weights from torch's current random state."""
        return CutPasteClassifierDetector(self)


class CutPasteClassifierDetector(nn.Module):
    """Classifier and Gaussian of healthy embeddings behind the verbs of a detector."""

    centre: Tensor
    precision: Tensor

    def __init__(self, shape: CutPasteClassifier) -> None:
        super().__init__()
        self.encoder = down(shape.base, shape.depth, shape.embedding, norm="batch")  # as in their ResNet-18
        self.head = nn.Sequential(nn.LeakyReLU(SLOPE), nn.Linear(shape.embedding, 1))
        self.register_buffer("centre", torch.zeros(shape.embedding))
        self.register_buffer("precision", torch.eye(shape.embedding))

    def embed(self, image: Tensor) -> Tensor:
        """Embeddings (B, embedding) float32 of slices (B, 1, H, W)."""
        planes: Tensor = self.encoder(image)
        return planes.float().mean((2, 3))

    def training_loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the question whether a slice has a pseudo-outlier."""
        altered = (batch.mask > 0).flatten(1).any(1).float()
        answer = self.head(self.embed(batch.image))[:, 0]
        return functional.binary_cross_entropy_with_logits(answer.float(), altered)

    @torch.no_grad()
    def settle(self, clean: Iterable[Tensor]) -> None:
        """Measure mean and precision of healthy embeddings; the covariance is shrunk (Ledoit & Wolf)."""
        from sklearn.covariance import ledoit_wolf  # takes as long to import as torch, and most trainings need none

        found = torch.cat([self.embed(image) for image in clean]).double().cpu().numpy()
        covariance, _ = ledoit_wolf(found)
        # Embeddings that never vary would have no precision.
        ridge = 1e-6 * max(float(np.trace(covariance)) / len(covariance), 1e-6)
        precision = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))
        self.centre.copy_(torch.from_numpy(found.mean(0)))
        self.precision.copy_(torch.from_numpy(precision))

    def forward(self, image: Tensor) -> Tensor:
        """The anomaly map, so that torch's own tools can call the detector as a module."""
        return self.anomaly_map(image)

    def anomaly_map(self, image: Tensor) -> Tensor:
        """One value over a slice's tissue: log(d2 / n), of the squared Mahalanobis distance d2 in n dimensions.

        Its sigmoid is d2 / (n + d2), around a half for healthy slices. Background has the lowest value.
        """
        # In float32: where healthy embeddings hardly vary, bfloat16's rounding would be the largest distance.
        with torch.autocast(image.device.type, enabled=False):
            offset = self.embed(image) - self.centre
            squared = torch.einsum("bi,ij,bj->b", offset, self.precision, offset) / len(self.centre)
        value = squared.clamp_min(_NEAREST).log()[:, None, None]
        return torch.where(image[:, 0] > 0, value, log(_NEAREST))
