"""Small tables made on the spot: six healthy subjects, and four patients of whom two have a lesion."""

import os

# Read when torch and OpenCV load, here and in the programs that tests start: on a busy machine, threads that wait for
# each other make these small trainings ten times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import pytest

from core.slices.layout import TableMetadata, VolumeSlices
from core.slices.table import SliceTable, write_table

SIDE = 32


def head(seed: int, side: int = SIDE) -> np.ndarray:
    """A smooth disc of tissue on background 0, (side, side) uint8."""
    rng = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(rng.random((side, side)), (0, 0), 1.5)
    texture = (texture - texture.min()) / (texture.max() - texture.min())
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    inside = rows**2 + columns**2 < (0.42 * side) ** 2
    return np.where(inside, 20 + 220 * texture, 0).astype(np.uint8)


def volume(number: int, *, lesion: bool = False, prefix: str = "healthy", slices: int = 6) -> VolumeSlices:
    """One subject; with a lesion, a bright square on every other slice."""
    images = np.stack([head(100 * number + index) for index in range(slices)])
    masks = np.zeros_like(images)
    if lesion:
        masks[::2, 12:18, 14:20] = 1
        images[masks > 0] = 255
    return VolumeSlices(
        dataset="test",
        subject=f"{prefix}-{number}",
        volume=f"{prefix}-{number}",
        images=images,
        masks=masks,
        slice_index=np.arange(slices, dtype=np.int32),
        families=["bright" if lesion and index % 2 == 0 else None for index in range(slices)],
    )


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> SliceTable:
    """36 healthy slices of six subjects, 32x32."""
    path = tmp_path_factory.mktemp("tables") / "healthy.arrow"
    return write_table(path, (volume(number) for number in range(6)), TableMetadata())


@pytest.fixture(scope="session")
def lesioned(tmp_path_factory: pytest.TempPathFactory) -> SliceTable:
    """24 slices of four subjects, of whom two have a lesion."""
    path = tmp_path_factory.mktemp("tables") / "lesioned.arrow"
    volumes = (volume(number, lesion=number < 52, prefix="patient") for number in range(50, 54))
    return write_table(path, volumes, TableMetadata())
