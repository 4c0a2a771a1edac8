"""The two verbs of a detector, and more for those that measure before they score, that reconstruct, or that draw."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor


class Batch(NamedTuple):
    """One training batch.

    image: (B, 1, H, W) float32 in [0, 1], slices with pseudo-outliers.
    mask: (B, H, W) float32, 1 where the pseudo-outlier is.
    clean: the slices before they got their pseudo-outliers, shaped as `image`.
    progress: share of the training's steps that are done, in [0, 1), for methods that train in stages.
    generator: on the batch's device, seeded by the training's seed and this step: whatever a detector draws.
    """

    image: Tensor
    mask: Tensor
    clean: Tensor
    progress: float
    generator: torch.Generator


class Detector(Protocol):
    """A torch module that learns from batches and maps slices to anomalies."""

    def training_loss(self, batch: Batch) -> Tensor:
        """A scalar to minimise.

        Weights that get no gradient from it stay as they are, so stages and adversaries take turns by leaving the
        others' weights out of the loss.
        """
        ...

    def anomaly_map(self, image: Tensor) -> Tensor:
        """Anomaly map (B, H, W) float32 of slices (B, 1, H, W): the larger, the more anomalous.

        The values are logits or another monotone form that float16 does not destroy, never saturated probabilities.
        """
        ...


@runtime_checkable
class Settling(Protocol):
    """A detector that measures its scores on healthy slices after each epoch, into buffers of its own."""

    def settle(self, clean: Iterable[Tensor]) -> None:
        """Given the slices (B, 1, H, W) of the epoch's last batches."""
        ...


@runtime_checkable
class Reconstructing(Protocol):
    """A detector that says what a slice would look like if it were healthy."""

    def reconstruction(self, image: Tensor) -> Tensor:
        """Slices (B, 1, H, W) to slices of the same shape, float32, about [0, 1]."""
        ...


@runtime_checkable
class Sampling(Protocol):
    """A detector that can draw slices of its own: what it takes for healthy."""

    def samples(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """As many slices as `like` (B, 1, H, W) has, of its shape, float32, about [0, 1]; what it shows has no part."""
        ...
