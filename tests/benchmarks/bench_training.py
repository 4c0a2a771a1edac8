"""Training steps against the loop that one would write: fp32, Adam, a DataLoader, the same U-Net.

    python -m tests.benchmarks.bench_training [cpu|cuda]

In turns in one run, each in a process of its own. A step includes its share of making the batch. On a GPU whole
trainings on 4,050 slices are timed instead, and the plain loop gets four worker processes too. Times are printed, never
asserted: they belong to the machine.
"""

import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from core.config import Config, override
from core.device import uses_bf16
from core.slices.layout import TableMetadata, VolumeSlices
from core.slices.table import SliceTable, open_table, write_table
from core.training import _Run, train
from tests.benchmarks.apart import apart
from tests.benchmarks.bench_synthesis import plain, slices
from tests.benchmarks.rows import Row

SIZES = {"small": (8, 64, 8), "paper": (32, 128, 16)}  # base, side, batch
SLICES = 4050  # of the paper's training
PLAIN_WORKERS = (0, 4)


class PlainSlices(Dataset[tuple[Tensor, Tensor]]):
    """Slices with pseudo-outliers made one by one."""

    def __init__(self, images: np.ndarray) -> None:
        self.images, self.rng = images, np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, mask = plain(self.images[index], self.rng)
        return torch.from_numpy(image)[None], torch.from_numpy(mask)


def plain_steps(config: Config, images: np.ndarray, device: str, workers: int = 0) -> Iterator[float]:
    """The loss after each step of the plain loop, for ever."""
    torch.manual_seed(0)
    network = config.detector.build(config.loss).to(device).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=config.training.learning_rate)
    loader = DataLoader(PlainSlices(images), config.training.batch, shuffle=True, drop_last=True, num_workers=workers)
    while True:
        for image, mask in loader:
            logits = network.anomaly_map(image.to(device))
            mask = mask.to(device)
            probability = logits.sigmoid()
            overlap, total = (probability * mask).sum((1, 2)), (probability + mask).sum((1, 2))
            loss = (1 - (2 * overlap + 1) / (total + 1)).mean() / 2
            loss = loss + functional.binary_cross_entropy_with_logits(logits, mask) / 2
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            yield loss.item()


def our_steps(config: Config, path: Path, device: str) -> Iterator[Tensor]:
    """The loss after each step of this project's training on a table, for ever; nothing waits for a GPU."""
    endless, table = override(config, {"training.epochs": 100_000}), open_table(path)
    run = _Run(endless, table, 0, np.arange(len(table)), torch.device(device))
    run.detector.train()
    for number in range(1, endless.training.epochs):
        for batch, _ in run.batches.epoch(number):
            yield run.step(batch)


def losses(make: Callable[..., Iterator[Tensor | float]], *arguments: Any) -> Iterator[float]:
    """As numbers, so a step is over when its loss is here."""
    return (float(loss) for loss in make(*arguments))


def table_of(images: np.ndarray, path: Path) -> SliceTable:
    """The slices as a table of one healthy subject."""
    pixels = np.rint(255 * images).astype(np.uint8)
    number = np.arange(len(images), dtype=np.int32)
    volume = VolumeSlices("bench", "one", "one", pixels, np.zeros_like(pixels), number, [None] * len(images))
    return write_table(path, [volume], TableMetadata())


def step_row(name: str, size: tuple[int, int, int], device: str, rounds: int) -> Row:
    """Seconds per step, each the median of its rounds after one to warm up."""
    base, side, batch = size
    config = override(Config(), {"detector.base": base, "training.batch": batch})
    images = slices(2 * batch, side)
    with tempfile.TemporaryDirectory() as folder:
        table = table_of(images, Path(folder) / "t.arrow")
        with (
            apart(losses, our_steps, config, table.path, device) as ours_once,
            apart(losses, plain_steps, config, images, device) as theirs_once,
        ):
            took: tuple[list[float], list[float]] = ([], [])
            for number in range(rounds + 1):
                for once, times in zip((ours_once, theirs_once), took, strict=True):
                    loss, seconds = once()
                    if not math.isfinite(loss):
                        raise AssertionError("a loss is not finite; nothing is timed that is not right")
                    if number:
                        times.append(seconds)
    bf16 = "bf16" if uses_bf16(config.training, torch.device(device)) else "fp32"
    ours, theirs = (median(times) for times in took)
    return Row(
        f"a training step, {name}", ours, theirs, "s", f"base {base}, {side} x {side}, batch {batch}, ours {bf16}"
    )


def whole_rows(name: str, size: tuple[int, int, int], device: str, count: int) -> Iterator[Row]:
    """Seconds of whole trainings of ten epochs: the first of a process, and the best of two that follow.

    Of the plain loop one epoch is timed, and counts ten times.
    """
    base, side, batch = size
    config = override(Config(), {"detector.base": base, "training.batch": batch})
    images = slices(count, side)

    epochs: list[float] = []

    def whole(table: SliceTable) -> float:
        began = time.perf_counter()
        for epoch in train(config, table, seed=0, device=device):
            if not np.isfinite(epoch.loss):
                raise AssertionError("a loss is not finite; nothing is timed that is not right")
            epochs.append(epoch.seconds)
        return time.perf_counter() - began

    with tempfile.TemporaryDirectory() as folder:
        first, *later = (whole(table_of(images, Path(folder) / "t.arrow")) for _ in range(3))
    remark = f"base {base}, {side} x {side}, batch {batch}, {count} slices; the first of its process {first:.3g} s"
    remark += f", an epoch {median(epochs):.3g} s"
    for workers in PLAIN_WORKERS:
        steps = plain_steps(config, images, device, workers)
        next(steps)  # libraries load
        began = time.perf_counter()
        for _ in range(count // batch):
            next(steps)
        plainly = config.training.epochs * (time.perf_counter() - began)
        what = f"a whole training, {name}, against {workers} workers"
        yield Row(what, min(later), plainly, "s", remark)


def rows(device: str, tiny: bool) -> Iterator[Row]:
    """A step of the small and of the paper's size; whole trainings on a GPU."""
    if tiny:
        yield step_row("tiny", (2, 32, 4), device, 2)
    elif device == "cpu":
        yield from (step_row(name, size, device, 12 if name == "small" else 4) for name, size in SIZES.items())
    else:
        yield from (row for name in ("paper", "small") for row in whole_rows(name, SIZES[name], device, SLICES))


if __name__ == "__main__":
    for one in rows(sys.argv[1] if len(sys.argv) > 1 else "cpu", tiny=False):
        print(
            f"{one.what}: {one.ours:.3f} s, plain {one.theirs:.3f} s, {one.theirs / one.ours:.2f} times ({one.remark})"
        )
