"""The slice table of a node's second trial, against a NumPy file that each trial loads for itself.

    python -m tests.benchmarks.bench_table

Both in a process that has opened a table before. Opening: seconds until rows can be read. Memory: what a process that
reads every slice in batches holds for itself; pages of the mapped table belong to all processes of the node.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from core.slices.layout import TableMetadata, VolumeSlices
from core.slices.table import open_table, write_table
from tests.benchmarks.rows import Row

BATCH = 16


def volumes(count: int, depth: int, side: int) -> Iterator[VolumeSlices]:
    """Healthy volumes of so many slices, two of each subject."""
    for number in range(count):
        images = np.full((depth, side, side), 1 + number % 200, np.uint8)
        subject, numbers = f"subject-{number // 2:06d}", np.arange(depth, dtype=np.int32)
        yield VolumeSlices("bench", subject, f"{subject}-{number % 2}", images, None, numbers, [None] * depth)


def own_memory() -> int:
    """Bytes of this process that no other shares and no file backs."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Private_Dirty"))


def read_table(path: Path) -> tuple[int, int]:
    """Bytes held after reading every slice of a table in batches, and the sum of a pixel of each."""
    open_table(path)
    before, table, total = own_memory(), open_table(path), 0
    for start in range(0, len(table), BATCH):
        total += int(table.images(slice(start, start + BATCH))[:, 0, 0].sum())
    return own_memory() - before, total


def read_file(path: Path) -> tuple[int, int]:
    """The same of an array that is loaded whole."""
    before, total = own_memory(), 0
    images = np.load(path)
    for start in range(0, len(images), BATCH):
        total += int(images[start : start + BATCH, 0, 0].sum())
    return own_memory() - before, total


def opening_row(folder: Path, count: int, side: int, rounds: int) -> Row:
    """Seconds to open a table of count volumes of 90 slices, and to load the same slices."""
    table = write_table(folder / "many.arrow", volumes(count, 90, side), TableMetadata())
    np.save(folder / "many.npy", table.images(slice(None)))
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for times, read in zip(
            took, (lambda: open_table(table.path), lambda: np.load(folder / "many.npy")), strict=True
        ):
            began = time.perf_counter()
            opened = read()
            times.append(time.perf_counter() - began)
            del opened  # closing is no part of it
    ours, theirs = (median(times[1:]) for times in took)
    return Row(f"opening {len(table):,} slices", ours, theirs, "s", f"{side} x {side}")


def memory_row(folder: Path, count: int, side: int) -> Row:
    """MiB that each further trial holds of the data."""
    table = write_table(folder / "large.arrow", volumes(count, 90, side), TableMetadata())
    np.save(folder / "large.npy", table.images(slice(None)))
    # A fresh process each: nothing of what this one holds may count.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        ours, same = pool.apply(read_table, (table.path,))
        theirs, expected = pool.apply(read_file, (folder / "large.npy",))
    if same != expected:
        raise AssertionError("both ways read other slices; nothing is compared that is not the same")
    name = f"data of a second trial, {len(table):,} slices"
    return Row(
        name, max(ours, 1) / 2**20, theirs / 2**20, "MiB", f"{side} x {side}, every slice read in batches of {BATCH}"
    )


def rows(device: str, tiny: bool) -> list[Row]:
    """Both rows, of a large study or of one that proves only that it runs; an accelerator has no part in them."""
    if device != "cpu":
        return []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if tiny:
            return [opening_row(place, 4, 16, 2), memory_row(place, 4, 32)]
        return [opening_row(place, 3334, 64, 5), memory_row(place, 300, 128)]


if __name__ == "__main__":
    for one in rows("cpu", tiny=False):
        print(f"{one.what}: {one.ours:.3g} {one.unit}, own copy {one.theirs:.3g} {one.unit} ({one.remark})")
