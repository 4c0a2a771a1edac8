"""Damaged volumes by the thousand: each is read as finite numbers or refused in one sentence, in bounded memory.

    python -m tests.faults.fuzz_volumes --cases 20000 --seed 0

Prints how many were read and why the others were refused; ends at the first that does anything else, with the file.
"""

import gzip
import re
import resource
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import nibabel as nib
import numpy as np
import typer

from core.errors import BadVolume
from core.slices.nifti import read_volume
from tests.faults.volumes import voxels

MORE = 4 << 30
"""Bytes of address space that reading may take beside what the process has: the largest volume, twice."""
KINDS = ("<int16", ">int16", "<float32", "<float64", "<uint8", "NIfTI-2")
EXTREMES = (b"\x00", b"\xff", b"\x7f\xff", b"\xff\x7f", b"\x00\x00\x80\x7f", b"\x00\x00\xc0\x7f", b"\xff\xff\x7f\x7f")


@dataclass(frozen=True)
class Edit:
    """Bytes at a place: written over, put in, or taken out as many; `end` cuts off all that follows."""

    how: Literal["over", "in", "out", "end"]
    at: int
    content: bytes

    def apply(self, data: bytes) -> bytes:
        at = self.at % len(data) if data else 0
        keep = {"over": len(self.content), "in": 0, "out": len(self.content), "end": len(data)}[self.how]
        return data[:at] + (self.content if self.how in ("over", "in") else b"") + data[at + keep :]


@cache
def valid(kind: str) -> bytes:
    """A sound volume's bytes, of a type and byte order, or NIfTI-2; with intensity scaling."""
    image_class = nib.Nifti2Image if kind == "NIfTI-2" else nib.Nifti1Image
    header = image_class.header_class(endianness=kind[0] if kind[0] in "<>" else "<")
    dtype = "int16" if kind == "NIfTI-2" else kind[1:]
    header.set_data_dtype(dtype)
    image = image_class(voxels().astype(dtype), np.diag([1.0, 2, -1.5, 1]), header)
    image.header.set_slope_inter(0.5, -3)
    return bytes(image.to_bytes())


def damaged(kind: str, before: list[Edit], packed: bool, after: list[Edit]) -> tuple[str, bytes]:
    """A file's name and content: edited, packed if asked, and edited again."""
    content = valid(kind)
    for edit in before:
        content = edit.apply(content)
    if packed:
        content = gzip.compress(content, 1, mtime=0)
    for edit in after:
        content = edit.apply(content)
    return ("a.nii.gz" if packed else "a.nii"), content


def outcome(path: Path) -> str:
    """`read`, or why not, without names and numbers. Raises AssertionError on anything else."""
    try:
        volume = read_volume(path)
    except BadVolume as mistake:
        told = str(mistake)
        assert told.startswith(f"{path}: "), told
        assert told.isprintable(), told
        assert len(told) < 400, told
        return re.sub(r"[-+]?\d[\d.e+-]*|\(.*\)", "#", told.removeprefix(f"{path}: "))[:60]
    assert volume.voxels.dtype == np.float32
    assert volume.voxels.ndim == 3
    assert np.isfinite(volume.voxels).all()
    assert np.isfinite(volume.affine).all()
    return "read"


def drawn(rng: np.random.Generator) -> tuple[str, bytes]:
    """One damaged file: mostly one to three edits of the header, some of the voxels or of what is packed."""

    def edits(most: int, reach: int) -> list[Edit]:
        found = []
        for _ in range(rng.integers(0, most + 1)):
            wild = rng.random() < 0.5
            content = rng.bytes(rng.integers(1, 9)) if wild else EXTREMES[rng.integers(len(EXTREMES))]
            found.append(
                Edit(rng.choice(["over", "over", "over", "in", "out", "end"]), int(rng.integers(reach)), content)
            )
        return found

    before = edits(3, 348 if rng.random() < 0.8 else 1 << 20)
    packed = bool(rng.random() < 0.5)
    return damaged(str(rng.choice(KINDS)), before, packed, edits(2, 1 << 20) if rng.random() < 0.3 else [])


def main(
    cases: Annotated[int, typer.Option(help="Number of files.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of the files.")] = 0,
) -> None:
    """Read damaged files and count what becomes of them."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_AS, (now + MORE, resource.RLIM_INFINITY))
    counts: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(cases):
            name, content = drawn(np.random.default_rng([seed, number]))
            path = Path(folder) / name
            path.write_bytes(content)
            start = time.perf_counter()
            try:
                counts[outcome(path)] += 1
            except BaseException:
                kept = Path(tempfile.gettempdir()) / f"fuzz-{seed}-{number}-{name}"
                kept.write_bytes(content)
                print(f"case {number} of seed {seed} is kept in {kept}")
                raise
            slowest = max(slowest, time.perf_counter() - start)
    for reason, count in counts.most_common():
        print(f"{count:8d}  {reason}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{cases} files, {peak} MiB at most, the slowest took {slowest:.2f} s")


if __name__ == "__main__":
    typer.run(main)
