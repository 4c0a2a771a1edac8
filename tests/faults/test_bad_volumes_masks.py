"""Masks that do not belong to their images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.slices.brats import BratsSource
from core.slices.folder import FolderSource
from core.slices.ingesting import ingest
from tests.faults.volumes import SHAPE, SMALL, check, good, save, voxels


def other_shape() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((12, 14, 9), np.uint8), np.eye(4)


def other_place() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(SHAPE, np.uint8), np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 8], [0, 0, 0, 1.0]])


def mirrored() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(SHAPE, np.uint8), np.diag([-1.0, 1, 1, 1])


def negative() -> tuple[np.ndarray, np.ndarray]:
    return np.full(SHAPE, -1, np.int16), np.eye(4)


def faint() -> tuple[np.ndarray, np.ndarray]:
    """A mask of 0 and 1 that was divided by 255: it would make a patient healthy."""
    mask = np.zeros(SHAPE, np.float32)
    mask[3:5, 3, 3] = 1 / 255
    return mask, np.eye(4)


def nan_mask() -> tuple[np.ndarray, np.ndarray]:
    return np.full(SHAPE, np.nan, np.float32), np.eye(4)


def beside_thick_slices() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(SHAPE, np.uint8), np.array([[1, 0, 0, 1.5], [0, 1, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1.0]])


MASKS = {
    other_shape: "has shape (12, 14, 9), expected (12, 14, 10) as its image has",
    other_place: "lies up to 8.0 voxels away from its image, expected at most 1",
    mirrored: "lies up to 11.0 voxels away from its image, expected at most 1",
    beside_thick_slices: "lies up to 1.5 voxels away from its image, expected at most 1",
    negative: "holds values from -1 to -1, expected 0, and 0.5 or more in lesions",
    faint: "holds values from 0 to 0.00392157, expected 0, and 0.5 or more in lesions",
    nan_mask: "1680 of 1680 voxels are NaN or infinite, expected finite values",
}


@pytest.mark.parametrize("make", MASKS, ids=lambda make: make.__name__)
def test_a_bad_mask(make: Callable[[], tuple[np.ndarray, np.ndarray]], tmp_path: Path) -> None:
    good(tmp_path)
    for n in range(3):
        save(tmp_path / "masks" / f"good{n}.nii.gz", np.zeros(SHAPE, np.uint8))
    thick = np.diag([1.0, 1, 3, 1]) if make is beside_thick_slices else np.eye(4)
    save(tmp_path / "images" / "bad.nii.gz", voxels(), thick)
    save(tmp_path / "masks" / "bad.nii.gz", *make())
    check(ingest(FolderSource(tmp_path, "d"), tmp_path / "t.arrow", SMALL), MASKS[make])


def test_other_labels_than_brats_has(tmp_path: Path) -> None:
    for n, name in enumerate(["BraTS20_Training_001", "BraTS20_Training_002"]):
        save(tmp_path / name / f"{name}_t2.nii.gz", voxels(n))
        seg = np.zeros(SHAPE, np.uint8)
        seg[3:5, 3, 3] = [1, 4] if n else [5, 9]
        save(tmp_path / name / f"{name}_seg.nii.gz", seg)
    report = ingest(BratsSource(tmp_path), tmp_path / "t.arrow", SMALL)
    reason = "BraTS20_Training_001_seg.nii.gz: holds the label 5, 9, expected 0, 1, 2, 3, 4"
    assert report.skipped == (("BraTS20_Training_001_t2", reason),)
    assert report.used == 1
