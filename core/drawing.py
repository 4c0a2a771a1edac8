"""What the host draws for a training: slices and pseudo-outliers, and which of them each batch takes, by counter.

Nothing here depends on which batches were made before, so a resumed training sees what an uninterrupted one would, and
any process may draw any of them.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from core.config import Config
from core.slices.table import SliceTable
from core.synthesis import Donors, Drawn, PseudoOutlier, Streams

# Stands where a row would in the seeds of what belongs to no row; no table has that many.
_ORDER = 2**32 - 1


class Key(NamedTuple):
    """Which batch: the places of `rows` it takes, the epoch, and the step, counted from the first epoch."""

    chosen: NDArray[np.intp]
    epoch: int
    step: int


class Part(NamedTuple):
    """One of the batches that were drawn together.

    slices: how many it has. redrawn: pseudo-outliers drawn again by the epsilon rule; forced: those that needed the
    visible shift.
    """

    step: int
    slices: int
    redrawn: int = 0
    forced: int = 0


class HostBatches(NamedTuple):
    """Batches of S slices together as the host draws them, in one piece: every further one costs time on its way.

    values: bytes of the slices with pseudo-outliers and of their labels, (S, H, W) float32 each, where the detector
    uses them; then of the slices as they are, (S, H, W) uint8. shape: (S, H, W). parts: one after another.
    """

    values: Tensor
    shape: tuple[int, ...]
    parts: list[Part]


def parts_of(values: Tensor, shape: tuple[int, ...]) -> list[Tensor]:
    """The slices of such values, wherever these lie, and where there are pseudo-outliers image and label."""
    size = prod(shape)
    if values.numel() == size:
        return [values.view(shape)]
    image, label = values[: 8 * size].view(torch.float32).view(2, *shape)
    return [values[8 * size :].view(shape), image, label]


class Drawing(Dataset[HostBatches]):
    """What a process needs to draw the batches of a training on `rows` of a table."""

    def __init__(self, config: Config, table: SliceTable, seed: int, rows: NDArray[np.intp]) -> None:
        self.config, self.table, self.seed, self.rows = config, table, seed, rows
        # Only the training's own slices lend: never the probe's or the test's.
        self._donors = Donors(table, rows)

    @property
    def bytes(self) -> int:
        """Of a slice with what is drawn for it."""
        values: int = self.table.height * self.table.width
        return 9 * values if self.config.detector.uses_outliers else values

    def __getitem__(self, keys: Sequence[Key]) -> HostBatches:
        pixels = self.table.images(self.rows[np.concatenate([key.chosen for key in keys])])
        if not self.config.detector.uses_outliers:
            parts = [Part(key.step, len(key.chosen)) for key in keys]
            return HostBatches(torch.from_numpy(pixels).view(-1), pixels.shape, parts)
        values = torch.empty(len(pixels) * self.bytes, dtype=torch.uint8)
        clean, image, label = (part.numpy() for part in parts_of(values, pixels.shape))
        clean[:] = pixels
        np.divide(pixels, np.float32(255), out=image)
        label[:] = 0
        # Together, as fewer calls take less time; all are of one epoch.
        outliers = iter(self.draw(image, label, keys[0].epoch, np.concatenate([key.chosen for key in keys])))
        parts = [_part(key, list(islice(outliers, len(key.chosen)))) for key in keys]
        return HostBatches(values, pixels.shape, parts)

    def draw(
        self, images: NDArray[np.float32], labels: NDArray[np.float32], epoch: int, chosen: NDArray[np.intp]
    ) -> list[PseudoOutlier | None]:
        """Decide the pseudo-outliers of the slices (S, H, W) at these places of `rows`, and draw them and their labels.

        labels: 0 so far.
        """
        drawn = [Drawn(image, label) for image, label in zip(images, labels, strict=True)]
        return self.config.synthesis.paste(drawn, Streams(self.seed, epoch), self.rows[chosen].tolist(), self._donors)


def _part(key: Key, outliers: Sequence[PseudoOutlier | None]) -> Part:
    layers = [layer for outlier in outliers if outlier is not None for layer in outlier.layers]
    redrawn, forced = sum(one.tries - 1 for one in layers), sum(one.forced for one in layers)
    return Part(key.step, len(key.chosen), redrawn, forced)


class Order:
    """Which slices each batch of each epoch takes."""

    def __init__(self, seed: int, rows: int, per_epoch: int, epochs: int) -> None:
        self.seed, self.rows, self.per_epoch, self.epochs = seed, rows, per_epoch, epochs
        self.steps = per_epoch * epochs

    def keys(self, epoch: int) -> Iterator[Key]:
        """Of the batches of an epoch, counted from 1."""
        order = np.random.default_rng([self.seed, epoch, _ORDER]).permutation(self.rows)
        for step, chosen in enumerate(np.array_split(order, self.per_epoch)):
            yield Key(chosen, epoch, (epoch - 1) * self.per_epoch + step)

    def messages(self, epoch: int, together: int) -> Iterator[list[Key]]:
        """The batches of this epoch and of all that follow, so many at a time, and never of two epochs."""
        for number in range(epoch, self.epochs + 1):
            keys = list(self.keys(number))
            yield from (keys[start : start + together] for start in range(0, len(keys), together))


def seed_of(seed: int, step: int) -> int:
    """Of what a detector draws in this step of a training with that seed."""
    return int(np.random.SeedSequence([seed, step, _ORDER]).generate_state(1, np.uint64)[0] >> 1)
