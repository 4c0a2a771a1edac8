"""Batches of pseudo-outliers against what a DataLoader makes of Algorithm 1, slice by slice, in turns in one run.

    python -m tests.benchmarks.bench_synthesis

Processor seconds of one thread, since a synthesis shares its core with other work. On a GPU, how the batch gets there:
copied as the host drew it, against drawn again by the device. Times are printed, never asserted.
"""

import time
from collections.abc import Callable
from statistics import median

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from core.synthesis import Drawn, Streams, Synthesis
from core.synthesis import device as on_device
from tests.benchmarks.rows import Row

BATCH = 16
Image = NDArray[np.float32]


def plain(image: Image, rng: np.random.Generator, epsilon: float = 0.05) -> tuple[Image, Image]:
    """Algorithm 1 and equations 1 and 2 as they are printed: image and mask, (H, W) float32 each."""
    height, width = image.shape
    while True:
        mask = np.zeros((height, width), np.uint8)
        row, column = rng.uniform(0, height), rng.uniform(0, width)
        brush, angle = round(rng.uniform(4, 16) * height / 128), rng.uniform(0, 2 * np.pi)
        for step in range(rng.integers(8, 33)):
            angle += (1 if step % 2 == 0 else -1) * (1 + rng.uniform(-0.1, 0.1)) * np.pi
            length = rng.uniform(8, 24) * height / 128
            before = round(column), round(row)
            row, column = row + length * np.sin(angle), column + length * np.cos(angle)
            after = round(column), round(row)
            cv2.line(mask, before, after, 1, brush)
            cv2.circle(mask, after, brush // 2, 1, -1)
        mask = np.fliplr(mask) if rng.random() < 0.5 else mask
        mask = np.flipud(mask) if rng.random() < 0.5 else mask
        match rng.integers(3):
            case 0:
                changed = image + rng.normal(0, 1, image.shape)
            case 1:
                changed = image + rng.normal(0, 1)
            case _:
                changed = image + image * rng.normal(0, 1)
        blended = (1 - mask) * image + mask * np.clip(changed, 0, 1)
        if np.abs(blended - image).max() >= epsilon:
            return blended.astype(np.float32), mask.astype(np.float32)


def slices(count: int, side: int) -> Image:
    """Discs of smooth texture on background 0, (count, side, side)."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    texture = np.stack([cv2.GaussianBlur(rng.random((side, side)), (0, 0), 1.5) for _ in range(count)])
    return np.where(rows**2 + columns**2 < (0.42 * side) ** 2, texture, 0).astype(np.float32)


def alternated(first: Callable[[], object], second: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median processor seconds of each, one after the other in every round."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for times, work in zip(spent, (first, second), strict=True):
            began = time.process_time()
            work()
            times.append(time.process_time() - began)
    return median(spent[0]), median(spent[1])


def rows(device: str, tiny: bool) -> list[Row]:
    """Seconds per pseudo-outlier; on CUDA also per batch of 16 that has reached the device."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        found = [_on_the_host(side, 4 if tiny else 64, 2 if tiny else 25) for side in ((32,) if tiny else (64, 128))]
    finally:
        cv2.setNumThreads(threads)
    return found + ([_to_the_device(device, 3 if tiny else 50)] if device != "cpu" else [])


class _Plain(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """What one would give a DataLoader."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels, self.rng = pixels, np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        image, mask = plain(self.pixels[row].astype(np.float32) / 255, self.rng)
        return torch.from_numpy(image), torch.from_numpy(mask)


def _on_the_host(side: int, count: int, rounds: int) -> Row:
    pixels, synthesis = np.rint(slices(count, side) * 255).astype(np.uint8), Synthesis()
    loader = DataLoader(_Plain(pixels), BATCH)

    def theirs() -> list[tuple[Image, Image]]:
        return [(image.numpy(), mask.numpy()) for image, mask in loader]

    def ours() -> list[tuple[Image, Image]]:
        drawn = []
        for start in range(0, count, BATCH):
            images = pixels[start : start + BATCH] / np.float32(255)
            labels = np.zeros_like(images)
            pairs = [Drawn(*pair) for pair in zip(images, labels, strict=True)]
            synthesis.paste(pairs, Streams(0, 1), range(start, start + len(pairs)))
            drawn.append((images, labels))
        return drawn

    for batches in (theirs(), ours()):
        changed = np.concatenate([images for images, _ in batches])
        if np.abs(changed - pixels / np.float32(255)).max((1, 2)).min() < 0.05:
            raise AssertionError("a pseudo-outlier does not show; nothing is timed that is not right")
    mine, plainly = alternated(ours, theirs, rounds)
    return Row(f"a pseudo-outlier, {side} x {side}", mine / count, plainly / count, "s", "one core, paper's synthesis")


def _to_the_device(device: str, rounds: int) -> Row:
    images, synthesis = slices(BATCH, 128), Synthesis()
    decided = [synthesis.pseudo_outlier(image, 0, 1, row) for row, image in enumerate(images)]
    clean = torch.from_numpy(images).to(device)

    def timed(work: Callable[[], object]) -> float:
        took = []
        for _ in range(rounds):
            torch.cuda.synchronize()
            began = time.perf_counter()
            work()
            torch.cuda.synchronize()
            took.append(time.perf_counter() - began)
        return median(took)

    def copied() -> list[torch.Tensor]:
        pairs = (np.stack([pair[part] for _, pair in decided]) for part in (0, 1))
        return [torch.from_numpy(values).pin_memory().to(device, non_blocking=True) for values in pairs]

    mine, again = timed(copied), timed(lambda: on_device.draw(synthesis, [one for one, _ in decided], clean))
    return Row("a batch of 16 reaches the device", mine, again, "s", "copied as drawn, against drawn there again")


if __name__ == "__main__":
    for one in rows("cpu", tiny=False):
        print(
            f"{one.what}: {1e6 * one.ours:.0f} us, plain {1e6 * one.theirs:.0f} us, {one.theirs / one.ours:.1f} times"
        )
