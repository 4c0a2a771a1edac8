"""Batches of a training: slices, their pseudo-outliers, and what the detector draws from, all by counter.

Nothing here depends on which batches were made before, so a resumed training sees what an uninterrupted one would.
Pseudo-outliers are drawn by the host: the epsilon rule has to see them anyway, and copying a batch is three commands to
an accelerator where drawing it again would be hundreds. There, the next batch is made while the device works on this
one, and the host never waits for it.
"""

from collections.abc import Generator
from math import ceil
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.config import Config
from core.detectors import Batch
from core.prefetching import ahead
from core.slices.table import SliceTable
from core.synthesis import Donors, PseudoOutlier

# Stands where a row would in the seeds of what belongs to no row; no table has that many.
_ORDER = 2**32 - 1


class Batches:
    """Batches for one training on `rows` of a table, on its device."""

    def __init__(
        self, config: Config, table: SliceTable, seed: int, rows: NDArray[np.intp], device: torch.device
    ) -> None:
        self.config, self.table, self.seed, self.rows, self.device = config, table, seed, rows, device
        # Only the training's own slices lend: never the probe's or the test's.
        self.donors = Donors(table, rows)
        self.per_epoch = ceil(len(rows) / config.training.batch)
        # On an accelerator the whole table lives on the device; a host copy stays to draw pseudo-outliers on.
        self.on_device = torch.from_numpy(table.images(rows)).to(device) if device.type != "cpu" else None

    def epoch(self, number: int) -> Generator[tuple[Batch, list[PseudoOutlier]], None, None]:
        """Every slice once, in an order of this epoch's own; batches differ by one slice at most."""
        batches = self._epoch(number)
        return batches if self.on_device is None else ahead(batches)

    def _epoch(self, number: int) -> Generator[tuple[Batch, list[PseudoOutlier]], None, None]:
        order = np.random.default_rng([self.seed, number, _ORDER]).permutation(len(self.rows))
        for step, chosen in enumerate(np.array_split(order, self.per_epoch)):
            yield self.batch(chosen, number, (number - 1) * self.per_epoch + step)

    def batch(self, chosen: NDArray[np.intp], epoch: int, step: int) -> tuple[Batch, list[PseudoOutlier]]:
        """The batch of the slices at these places of `rows`, and its pseudo-outliers; step counts from the first epoch.

        Methods that learn from healthy slices alone get those as `image`.
        """
        images = np.asarray(self.table.images(self.rows[chosen]) / np.float32(255), np.float32)
        if self.on_device is not None:
            clean = self.on_device[self._sent(chosen)].float() / 255
        else:
            clean = torch.from_numpy(images)
        image, mask = clean, torch.zeros_like(clean)
        outliers: list[PseudoOutlier] = []
        if self.config.detector.uses_outliers:
            image, mask, outliers = self._with_outliers(images, self.rows[chosen], epoch)
        progress = step / (self.per_epoch * self.config.training.epochs)
        drawing = torch.Generator(self.device).manual_seed(_mixed(self.seed, step))
        return Batch(_planes(image), mask, _planes(clean), progress, drawing), outliers

    def _with_outliers(
        self, images: NDArray[np.float32], rows: NDArray[np.intp], epoch: int
    ) -> tuple[Tensor, Tensor, list[PseudoOutlier]]:
        decided = [
            self.config.synthesis.pseudo_outlier(image, self.seed, epoch, int(row), self.donors)
            for image, row in zip(images, rows, strict=True)
        ]
        image = self._sent(np.stack([drawn.image for _, drawn in decided]))
        mask = self._sent(np.stack([drawn.label for _, drawn in decided]))
        return image, mask, [layer for outlier, _ in decided if outlier is not None for layer in outlier.layers]

    def _sent(self, values: NDArray[Any]) -> Tensor:
        """On the device; from pinned memory, so that nobody waits for the copy."""
        host = torch.from_numpy(values)
        return host if self.device.type == "cpu" else host.pin_memory().to(self.device, non_blocking=True)


def _planes(slices: Tensor) -> Tensor:
    return slices[:, None].contiguous(memory_format=torch.channels_last)


def _mixed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step, _ORDER]).generate_state(1, np.uint64)[0] >> 1)
