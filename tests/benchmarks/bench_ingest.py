"""Ingest against the loop that one would write: nibabel's get_fdata, OpenCV's resize, one volume after the other.

    python -m tests.benchmarks.bench_ingest          rates on the real patients of STUDY_TEST_DATA, in turns in one run
    python -m tests.benchmarks.bench_ingest memory   the most memory of four threads with volumes of 512 voxels cubed

`make bench` times the ingest alone. Figures are printed, never asserted: they belong to the machine.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import nibabel as nib
import numpy as np
import pytest
from isal import isal_zlib
from numpy.typing import NDArray

from core.slices.brats import BratsSource
from core.slices.ingesting import ingest
from core.slices.mood import MoodSource
from core.slices.preprocess import Preprocessing

PATIENTS = Path(os.environ.get("STUDY_TEST_DATA", "")) / "brats2018"
SLICES, SIDE = 80, 128


def plain_loop(root: Path, out: Path) -> int:
    """Central slices of image and mask, equalised per slice, as NumPy files; returns the number of volumes."""
    images, masks = [], []
    for folder in sorted(root.iterdir()):
        image = np.asarray(nib.load(folder / f"{folder.name}_t2.nii.gz").get_fdata())
        seg = np.asarray(nib.load(folder / f"{folder.name}_seg.nii.gz").get_fdata())
        first = (image.shape[2] - SLICES) // 2
        grey = (255 * np.clip(image / np.percentile(image, 99.5), 0, 1)).astype(np.uint8)
        for k in range(first, first + SLICES):
            equalised = cv2.equalizeHist(np.ascontiguousarray(grey[:, :, k]))
            images.append(cv2.resize(equalised, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
            mask = np.ascontiguousarray(seg[:, :, k] > 0).astype(np.uint8)
            masks.append(cv2.resize(mask, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST))
    np.savez(out / "plain.npz", images=np.stack(images), masks=np.stack(masks))
    return len(images) // SLICES


def table(root: Path, out: Path, workers: int | None) -> int:
    """The project's own; returns the number of volumes."""
    return ingest(BratsSource(root), out / "t.arrow", Preprocessing(SIDE, SLICES), workers=workers).used


@pytest.mark.skipif("STUDY_TEST_DATA" not in os.environ, reason="STUDY_TEST_DATA names no folder of real images")
def test_ingest(benchmark: Any, tmp_path: Path) -> None:
    """Twelve patients with their masks."""
    benchmark.pedantic(table, (PATIENTS, tmp_path, None), rounds=3, warmup_rounds=1)


WAYS: dict[str, Callable[[Path], int]] = {
    "plain loop": lambda out: plain_loop(PATIENTS, out),
    "one thread": lambda out: table(PATIENTS, out, 1),
    "all cores": lambda out: table(PATIENTS, out, None),
}


def rates(rounds: int = 5) -> None:
    """Print volumes per second of wall time and processor seconds per volume, each the best of its rounds.

    Processes of their own, since ours keeps memory that is freed, which would help the other way as well.
    """
    best: dict[str, NDArray[np.float64]] = {}
    for _ in range(rounds):
        for name in WAYS:
            program = [sys.executable, "-m", "tests.benchmarks.bench_ingest", "way", name]
            told = subprocess.run(program, check=True, capture_output=True, text=True).stdout
            best[name] = np.minimum(best.get(name, np.inf), np.array(told.split(), float))
    (plain, plain_busy), first = best["plain loop"], next(iter(best))
    for name, (wall, busy) in best.items():
        print(
            f"{name}: {1 / wall:.2f} volumes/s ({plain / wall:.2f} of the {first}), "
            f"{busy:.3f} processor seconds a volume ({plain_busy / busy:.2f} times fewer)"
        )


def timed(name: str) -> None:
    """Print seconds and processor seconds a volume, of the better of two runs in this process."""
    spent = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            start, started = time.perf_counter(), time.process_time()
            count = WAYS[name](Path(folder))
            spent.append(((time.perf_counter() - start) / count, (time.process_time() - started) / count))
    print(*np.min(spent, 0))


def memory() -> None:
    """Print the peak of a process that has four threads and four volumes, each of 0.5 GiB as float32."""
    with tempfile.TemporaryDirectory() as folder:
        for n in range(2):
            values = np.random.default_rng(n).random((512, 512, 512), np.float32)
            content = nib.Nifti1Image(values, np.eye(4)).to_bytes()
            path = Path(folder) / f"{n}.nii.gz"
            path.write_bytes(isal_zlib.compress(content, 0, 31))
            path.with_name(f"{n + 2}.nii.gz").symlink_to(path)
            del values, content
        subprocess.run([sys.executable, "-m", "tests.benchmarks.bench_ingest", "mood", folder], check=True)


def mood(folder: Path) -> None:
    """Ingest abdominal volumes and print the most memory that this process had."""
    source = MoodSource(folder, "abdominal")
    start = time.perf_counter()
    ingest(source, folder / "t.arrow", source.preprocessing, workers=4)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{peak >> 10} MiB at most, {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["memory"]:
            memory()
        case ["way", name]:
            timed(name)
        case ["mood", place]:
            mood(Path(place))
        case _:
            rates()
