"""Batches of a training: slices, their pseudo-outliers, and what the detector draws from, all by counter.

Nothing here depends on which batches were made before, so a resumed training sees what an uninterrupted one would, and
any process may draw any of them. Pseudo-outliers are drawn by the host: the epsilon rule has to see them anyway. For an
accelerator, processes of their own draw the next ones while it works on this one.
"""

import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from math import ceil, prod
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from core.config import Config
from core.detectors import Batch
from core.errors import HelperDied
from core.orphans import end_with_parent
from core.slices.table import SliceTable
from core.synthesis import Donors, Drawn, PseudoOutlier

# Stands where a row would in the seeds of what belongs to no row; no table has that many.
_ORDER = 2**32 - 1


class Key(NamedTuple):
    """Which batch: the places of `rows` it takes, the epoch, and the step, counted from the first epoch."""

    chosen: NDArray[np.intp]
    epoch: int
    step: int


class HostBatch(NamedTuple):
    """A batch of B slices as the host draws it, in one piece: every further one costs time on its way.

    values: bytes of the slices with pseudo-outliers and of their labels, (B, H, W) float32 each, where the detector
    uses them; then of the slices as they are, (B, H, W) uint8. shape: (B, H, W). redrawn: pseudo-outliers drawn again
    by the epsilon rule; forced: those that needed the visible shift.
    """

    step: int
    values: Tensor
    shape: tuple[int, ...]
    redrawn: int = 0
    forced: int = 0


def parts_of(values: Tensor, shape: tuple[int, ...]) -> list[Tensor]:
    """The slices of a HostBatch's values, wherever these lie, and where there are pseudo-outliers image and label."""
    size = prod(shape)
    if values.numel() == size:
        return [values.view(shape)]
    image, label = values[: 8 * size].view(torch.float32).view(2, *shape)
    return [values[8 * size :].view(shape), image, label]


class Drawing(Dataset[HostBatch]):
    """What a process needs to draw the batches of a training on `rows` of a table."""

    def __init__(self, config: Config, table: SliceTable, seed: int, rows: NDArray[np.intp]) -> None:
        self.config, self.table, self.seed, self.rows = config, table, seed, rows
        # Only the training's own slices lend: never the probe's or the test's.
        self._donors = Donors(table, rows)

    def __getitem__(self, key: Key) -> HostBatch:
        pixels = self.table.images(self.rows[key.chosen])
        if not self.config.detector.uses_outliers:
            return HostBatch(key.step, torch.from_numpy(pixels).view(-1), pixels.shape)
        drawn = self.draw(pixels, key)
        values = torch.empty(9 * pixels.size, dtype=torch.uint8)
        clean, image, label = (part.numpy() for part in parts_of(values, pixels.shape))
        clean[:] = pixels
        np.stack([pair.image for _, pair in drawn], out=image)
        np.stack([pair.label for _, pair in drawn], out=label)
        layers = [layer for outlier, _ in drawn if outlier is not None for layer in outlier.layers]
        redrawn, forced = sum(one.tries - 1 for one in layers), sum(one.forced for one in layers)
        return HostBatch(key.step, values, pixels.shape, redrawn, forced)

    def draw(self, pixels: NDArray[np.uint8], key: Key) -> list[tuple[PseudoOutlier | None, Drawn]]:
        """The pseudo-outliers of the slices (B, H, W) that a key names, decided and drawn."""
        images = np.asarray(pixels / np.float32(255), np.float32)
        return [
            self.config.synthesis.pseudo_outlier(image, self.seed, key.epoch, int(row), self._donors)
            for image, row in zip(images, self.rows[key.chosen], strict=True)
        ]


class Batches:
    """Batches for one training on `rows` of a table, on its device. workers: processes that draw ahead, 0 for none."""

    def __init__(
        self,
        config: Config,
        table: SliceTable,
        seed: int,
        rows: NDArray[np.intp],
        device: torch.device,
        workers: int = 0,
    ) -> None:
        self.device = device
        self.drawing = Drawing(config, table, seed, rows)
        self.order = Order(seed, len(rows), ceil(len(rows) / config.training.batch), config.training.epochs)
        self._ahead = _Ahead(self.drawing, self.order, workers) if workers else None

    def epoch(self, number: int) -> Iterator[tuple[Batch, HostBatch]]:
        """Every slice once, in an order of this epoch's own; batches differ by one slice at most.

        Raises HelperDied when a process that draws was killed.
        """
        here = map(self.drawing.__getitem__, self.order.keys(number))
        for batch in self._ahead.epoch(number) if self._ahead else here:
            yield self._on_device(batch), batch

    def close(self) -> None:
        """End the processes that draw; what is asked for after that is drawn here."""
        self._ahead = None

    def _on_device(self, drawn: HostBatch) -> Batch:
        pixels, *pair = parts_of(self._sent(drawn.values), drawn.shape)
        clean = _planes(pixels.float() / 255)
        image, label = (_planes(pair[0]), pair[1]) if pair else (clean, torch.zeros_like(clean[:, 0]))
        drawing = torch.Generator(self.device).manual_seed(_mixed(self.drawing.seed, drawn.step))
        return Batch(image, label, clean, drawn.step / self.order.steps, drawing)

    def _sent(self, values: Tensor) -> Tensor:
        """On the device; from pinned memory, so that nobody waits for the copy."""
        if self.device.type == "cpu":
            return values
        pinned = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        # Torch would copy with all its threads, which wait for each other while other processes draw.
        np.copyto(pinned.numpy(), values.numpy())
        return pinned.to(self.device, non_blocking=True)


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

    def keys_from(self, epoch: int) -> Iterator[Key]:
        """Of the batches of this epoch and of all that follow."""
        return chain.from_iterable(map(self.keys, range(epoch, self.epochs + 1)))


class _Ahead:
    """The batches of an order, drawn ahead by other processes: the first ones of an epoch while the last is scored."""

    def __init__(self, drawing: Drawing, order: Order, workers: int) -> None:
        self._drawing, self._order, self._workers = drawing, order, workers
        self._coming: Iterator[HostBatch] = iter(())
        self._next: int | None = None  # the epoch whose batches come, None in the middle of one

    def epoch(self, number: int) -> Iterator[HostBatch]:
        """Its batches. Epochs that are not asked for in turn cost new processes."""
        if number != self._next:
            self._coming = _received(self._loader(number))
        self._next = None
        yield from islice(self._coming, self._order.per_epoch)
        self._next = number + 1

    def _loader(self, number: int) -> "DataLoader[HostBatch]":
        # Copies of a process that has loaded everything and started nothing: they begin at once, with no thread or GPU
        # of this one's.
        server = multiprocessing.get_context("forkserver")
        server.set_forkserver_preload(["core.drawing_server"])
        return DataLoader(
            self._drawing,
            batch_size=None,
            sampler=self._order.keys_from(number),
            num_workers=self._workers,
            multiprocessing_context=server,
            worker_init_fn=_begin,
        )


def _received(loader: "DataLoader[HostBatch]") -> Iterator[HostBatch]:
    try:
        with _main_unseen():
            batches = iter(loader)
        yield from batches
    except (RuntimeError, OSError, EOFError) as error:
        # Torch says "Caught ..." of an error in a process that lives. Data may die on its way, as an error of sockets.
        lives = str(error).startswith("Caught ")
        if lives or (isinstance(error, RuntimeError) and "DataLoader worker (pid" not in str(error)):
            raise
        raise HelperDied(
            "a process that draws pseudo-outliers was killed, most likely for memory; the same command goes on from "
            "the last epoch"
        ) from None


@contextmanager
def _main_unseen() -> Iterator[None]:
    """Keeps processes that begin meanwhile from running the program's main module again, to find what lives there.

    Nothing that draws does, Ray's takes seconds, and a user's own may have no guard.
    """
    main = sys.modules["__main__"].__dict__
    kept: dict[str, Any] = {name: main[name] for name in ("__file__", "__spec__") if name in main}
    main.update(dict.fromkeys(kept))  # a notebook has no file, and is not to get one
    try:
        yield
    finally:
        main.update(kept)


def _begin(_worker: int) -> None:
    """In a process that draws: one thread, as others draw beside it, and an end when the training is killed.

    Torch's own watch looks at the server that made the process, which outlives a parent that was killed.
    """
    cv2.setNumThreads(1)
    end_with_parent()


def _planes(slices: Tensor) -> Tensor:
    return slices[:, None].contiguous(memory_format=torch.channels_last)


def _mixed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step, _ORDER]).generate_state(1, np.uint64)[0] >> 1)
