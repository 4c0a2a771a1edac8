"""How the slices of a plane lie in a volume: cutting them out as squares of equal size, and the exact way back.

A slice is a plane of the volume, upright in radiological convention, padded to a square in millimetres and resized.
Shapes are given in the canonical order (RAS) of `core.slices.nifti`.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = Literal["axial", "coronal", "sagittal"]
# The axes of the volume that become (columns, rows, slices): x, y, z are 0, 1, 2. Columns and rows then run backwards,
# so that superior or anterior is at the top, and the patient's right, or anterior in a sagittal slice, on the left.
ORDER: dict[Plane, tuple[int, int, int]] = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
_Pixel = TypeVar("_Pixel", bound=np.generic)


def turned(voxels: NDArray[_Pixel], plane: Plane) -> NDArray[_Pixel]:
    """A view of a volume (x,y,z) whose last axis counts the slices of the plane: voxels[:, :, k] is one of them."""
    return voxels.transpose(ORDER[plane])


def upright(plane: NDArray[_Pixel]) -> NDArray[_Pixel]:
    """A turned volume's [:, :, k] as a picture (rows, columns); a view, and writing to it writes the volume."""
    return plane[::-1, ::-1].T


def forwards(voxels: NDArray[Any]) -> tuple[slice, ...]:
    """What turns axes that run backwards in memory, and turns them back: NumPy takes five times as long for those."""
    return tuple(slice(None, None, -1 if stride < 0 else 1) for stride in voxels.strides)


@dataclass(frozen=True)
class Frame:
    """The square around upright slices of rows x columns voxels with these edges (height, width) in mm."""

    rows: int
    columns: int
    edges: tuple[float, float]

    @classmethod
    def of(cls, shape: tuple[int, ...], spacing: tuple[float, float, float], plane: Plane) -> "Frame":
        """For a volume (x,y,z) with these voxel edges in mm."""
        across, up, _ = ORDER[plane]
        return cls(shape[up], shape[across], (spacing[up], spacing[across]))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in voxels: equal in millimetres, as large as the longer side of the slice."""
        extent = max(self.rows * self.edges[0], self.columns * self.edges[1])
        # Rounded up, but not for the noise of float32 affines.
        height, width = (int(np.ceil(extent / edge - 1e-3)) for edge in self.edges)
        return height, width

    def _place(self) -> tuple[slice, slice]:
        height, width = self.size
        top, left = (height - self.rows) // 2, (width - self.columns) // 2
        return slice(top, top + self.rows), slice(left, left + self.columns)

    def pad(self, picture: NDArray[_Pixel]) -> NDArray[_Pixel]:
        """The slice (rows, columns) in the middle of a square of background, (height, width)."""
        square = np.zeros(self.size, picture.dtype)
        square[self._place()] = picture
        return square

    def back(self, found: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values of a square slice (side, side) at the voxels of the slice it was made of, (rows, columns)."""
        return resized(found, *self.size)[self._place()]


def resized(picture: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Enlarge linearly, shrink by averaging areas; where one axis shrinks and the other grows, one after the other."""
    rows, columns = picture.shape
    if (rows > height) == (columns > width) or rows == height or columns == width:
        shrinks = rows > height or columns > width
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.float32)
    return resized(resized(picture, min(rows, height), min(columns, width)), height, width)
