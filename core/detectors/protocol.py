"""The two verbs of a detector."""

from typing import NamedTuple, Protocol

from torch import Tensor


class Batch(NamedTuple):
    """One training batch.

    image: (B, 1, H, W) float32 in [0, 1], slices with pseudo-outliers.
    mask: (B, H, W) float32, 1 where the pseudo-outlier is.
    """

    image: Tensor
    mask: Tensor


class Detector(Protocol):
    """A torch module that learns from batches and maps slices to anomalies."""

    def training_loss(self, batch: Batch) -> Tensor:
        """A scalar to minimise."""
        ...

    def anomaly_map(self, image: Tensor) -> Tensor:
        """Anomaly map (B, H, W) float32 of slices (B, 1, H, W): the larger, the more anomalous.

        The values are logits or another monotone form that float16 does not destroy, never saturated probabilities.
        """
        ...
