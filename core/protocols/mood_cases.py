"""Reading one case of MOOD, a slab at a time, so that volumes of 512^3 voxels need little memory."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from core.errors import BadInput
from core.slices.nifti import load_nifti

_SLAB = 1 << 22  # voxels at a time: 32 MB as float64
_UNREADABLE = (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, OverflowError, zlib.error)

Slab = tuple[NDArray[np.float16], NDArray[np.bool_]]


def read_pair(prediction: Path, label: Path) -> Iterator[Slab]:
    """Scores in [0, 1] and truth of consecutive slabs of a case, both of one shape, in the order of the files.

    Raises BadInput when a file cannot be read, shapes differ, or a value is NaN.
    """
    truth, scores = _open(label), _open(prediction)
    if scores.shape != truth.shape:
        raise BadInput(f"{prediction}: has shape {scores.shape}, expected {truth.shape} as {label} has")
    thick = max(1, _SLAB // max(1, int(np.prod(truth.shape[:-1], dtype=object))))
    for start in range(0, truth.shape[-1], thick):
        span = slice(start, start + thick)
        with np.errstate(over="ignore"):  # float16 makes large scores infinite, which then are clipped
            halves = _slab(prediction, scores, span).astype(np.float16)
        yield np.clip(halves, 0, 1), np.rint(_slab(label, truth, span)) >= 1


def read_sample(prediction: Path, label: Path) -> tuple[float, bool]:
    """Score in [0, 1] and truth of a case, from the first lines of two text files. Raises BadInput."""
    told = _first_line(label)
    if told not in ("0", "1"):
        raise BadInput(f"{label}: its first line is {told[:40]!r}, expected 0 or 1")
    line = _first_line(prediction)
    try:
        score = float(line)
    except ValueError:
        score = float("nan")
    if np.isnan(score):
        raise BadInput(f"{prediction}: its first line is {line[:40]!r}, expected a number from 0 to 1")
    return float(np.clip(score, 0, 1)), told == "1"


def _open(path: Path) -> Any:
    """The lazy array of a NIfTI file's voxels; its file stays open, as reopening would unpack from the start."""
    try:
        image: Any = load_nifti(path, mmap=False, keep_file_open=True)
        voxels = image.dataobj
        kind = np.dtype(voxels.dtype).kind
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    if kind not in "biuf" or not voxels.shape:
        raise BadInput(f"{path}: holds {voxels.dtype} values, expected one real number per voxel")
    return voxels


def _slab(path: Path, voxels: Any, span: slice) -> NDArray[Any]:
    """These slices along the last axis, scaled as the file says."""
    try:
        found = np.asarray(voxels[..., span])
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    if wrong := int(np.isnan(found).sum()):
        raise BadInput(f"{path}: {wrong} voxels in slices {span.start} and up are NaN, expected numbers")
    return found


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline(1000).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadInput:
    return BadInput(f"{path}: cannot be read ({' '.join(str(error).split()) or type(error).__name__})")
