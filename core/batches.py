"""Batches of a training, on the device that trains.

Pseudo-outliers are drawn by the host: the epsilon rule has to see them anyway. For an accelerator, processes of their
own draw the next ones while it works on this one.
"""

import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from math import ceil
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from core.config import Config
from core.detectors import Batch
from core.drawing import Drawing, HostBatches, Order, Part, parts_of, seed_of
from core.errors import HelperDied
from core.orphans import end_with_parent
from core.slices.table import SliceTable

_MESSAGE = 2**20  # bytes that make a message of another process worth its way


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
        self._aside = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def epoch(self, number: int) -> Iterator[tuple[Batch, Part]]:
        """Every slice once, in an order of this epoch's own; batches differ by one slice at most.

        Raises HelperDied when a process that draws was killed.
        """
        here = (self.drawing[[key]] for key in self.order.keys(number))
        for drawn in self._ahead.epoch(number) if self._ahead else here:
            yield from self._on_device(drawn)

    def close(self) -> None:
        """End the processes that draw; what is asked for after that is drawn here."""
        self._ahead = None

    def _on_device(self, drawn: HostBatches) -> Iterator[tuple[Batch, Part]]:
        pixels, *pair = parts_of(self._sent(drawn.values), drawn.shape)
        clean = _planes(pixels.float() / 255)
        image, label = (_planes(pair[0]), pair[1]) if pair else (clean, torch.zeros_like(clean[:, 0]))
        counts = [part.slices for part in drawn.parts]
        split = (torch.split(every, counts) for every in (image, label, clean))
        for part, *own in zip(drawn.parts, *split, strict=True):
            drawing = torch.Generator(self.device).manual_seed(seed_of(self.drawing.seed, part.step))
            yield Batch(own[0], own[1], own[2], part.step / self.order.steps, drawing), part

    def _sent(self, values: Tensor) -> Tensor:
        """On the device; from pinned memory and on a stream of its own, so that nobody waits for the copy."""
        if self._aside is None:
            return values
        pinned = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        # Torch would copy with all its threads, which wait for each other while other processes draw.
        np.copyto(pinned.numpy(), values.numpy())
        with torch.cuda.stream(self._aside):
            there = pinned.to(self.device, non_blocking=True)
        usual = torch.cuda.current_stream(self.device)
        usual.wait_stream(self._aside)
        there.record_stream(usual)
        return there


class _Ahead:
    """The batches of an order, drawn ahead by other processes: the first ones of an epoch while the last is scored."""

    def __init__(self, drawing: Drawing, order: Order, workers: int) -> None:
        self._drawing, self._order, self._workers = drawing, order, workers
        self._together = max(_MESSAGE * order.per_epoch // (drawing.bytes * order.rows), 1)
        self._coming: Iterator[HostBatches] = iter(())
        self._next: int | None = None  # the epoch whose batches come, None in the middle of one

    def epoch(self, number: int) -> Iterator[HostBatches]:
        """Its batches. Epochs that are not asked for in turn cost new processes."""
        if number != self._next:
            self._coming = _received(self._loader(number))
        self._next = None
        yield from islice(self._coming, ceil(self._order.per_epoch / self._together))
        self._next = number + 1

    def _loader(self, number: int) -> "DataLoader[HostBatches]":
        return DataLoader(
            self._drawing,
            batch_size=None,
            sampler=self._order.messages(number, self._together),
            num_workers=self._workers,
            multiprocessing_context=_server(),
            worker_init_fn=_begin,
        )


def begin_server() -> None:
    """Let the process begin to load that all that draw will be copies of; it takes seconds."""
    from multiprocessing.forkserver import ensure_running  # not on every system

    _server()
    ensure_running()


def _server() -> Any:
    """Makes copies of a process that has loaded everything and started nothing: they begin at once, with no thread or
    GPU of this one's."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["core.drawing_server"])
    return server


def _received(loader: "DataLoader[HostBatches]") -> Iterator[HostBatches]:
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
