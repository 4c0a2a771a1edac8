"""Decided shapes: where a mask lies, in pixels of one frame, before anything is drawn.

Coordinates are (row, column); a pixel's centre has whole-numbered coordinates. A pixel belongs to a shape when its
centre does. The OpenCV drawing here is what trainings see; `core.synthesis.device` draws the same records as a batch.
"""

from dataclasses import dataclass
from functools import cache
from math import ceil, floor, isqrt, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

_BITS = 8  # fractional bits of OpenCV's fixed-point coordinates
_ONE = 1 << _BITS
_SMALL = 6  # radius in pixels up to which dilation is faster than a distance transform


@dataclass(frozen=True, eq=False)
class Stroke:
    """All pixels within `width / 2` of a polyline. One point alone is a disc.

    points: (P, 2) float64, row and column of each vertex; they may lie outside the frame.
    """

    points: NDArray[np.float64]
    width: float

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column."""
        return _mean(self.points)

    def draw(self, height: int, width: int) -> NDArray[np.uint8]:
        """The mask of shape (height, width), 1 inside and 0 outside.

        OpenCV draws the bare polyline and measures the distance to it; the polyline is rounded to whole pixels, so
        the border may be off by less than one pixel, or two where it comes from far outside the frame. Drawing it
        with a thickness would round the width as well.
        """
        mask = np.zeros((height, width), np.uint8)
        radius = self.width / 2
        reach = ceil(radius) + 1
        # Only the part of the stroke's surroundings that can touch the frame is drawn.
        (row, column), (last_row, last_column) = self.points.min(0).tolist(), self.points.max(0).tolist()
        row, column = max(floor(row), 0) - reach, max(floor(column), 0) - reach
        last_row, last_column = min(ceil(last_row), height - 1) + reach, min(ceil(last_column), width - 1) + reach
        top, left, bottom, right = max(row, 0), max(column, 0), min(last_row + 1, height), min(last_column + 1, width)
        if top >= bottom or left >= right:
            return mask
        canvas = np.zeros((last_row - row + 1, last_column - column + 1), np.uint8)
        # OpenCV draws no polyline of one point, but it does draw one from a point to itself.
        points = self.points if len(self.points) > 1 else np.repeat(self.points, 2, 0)
        vertices = np.rint((points[:, ::-1] - (column, row)) * _ONE).astype(np.int32)
        cv2.polylines(canvas, [vertices], False, 1, 1, cv2.LINE_8, _BITS)
        inside = _within(canvas, radius)
        mask[top:bottom, left:right] = inside[top - row : bottom - row, left - column : right - column]
        return mask


@dataclass(frozen=True)
class Box:
    """All pixels whose row and column differ from the centre's by at most `half`."""

    row: float
    column: float
    half: float

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column."""
        return self.row, self.column

    def draw(self, height: int, width: int) -> NDArray[np.uint8]:
        """The mask of shape (height, width), 1 inside and 0 outside."""
        mask = np.zeros((height, width), np.uint8)
        top, bottom = _pixels(self.row, self.half, height)
        left, right = _pixels(self.column, self.half, width)
        mask[top:bottom, left:right] = 1
        return mask


@dataclass(frozen=True)
class Ellipse:
    """All pixels within an ellipse: semi-axes `first` and `second`, the first at `angle` from the rows' direction."""

    row: float
    column: float
    first: float
    second: float
    angle: float

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column."""
        return self.row, self.column

    def draw(self, height: int, width: int) -> NDArray[np.uint8]:
        """The mask of shape (height, width), 1 inside and 0 outside."""
        down, right = np.arange(height)[:, None] - self.row, np.arange(width)[None, :] - self.column
        along = (down * np.cos(self.angle) + right * np.sin(self.angle)) / self.first
        across = (right * np.cos(self.angle) - down * np.sin(self.angle)) / self.second
        return np.asarray(along**2 + across**2 <= 1, np.uint8)


@dataclass(frozen=True, eq=False)
class Polygon:
    """All pixels that a closed polygon goes round an odd number of times. points: (P, 2) float64, P at least 3."""

    points: NDArray[np.float64]

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column."""
        return _mean(self.points)

    def draw(self, height: int, width: int) -> NDArray[np.uint8]:
        """The mask of shape (height, width), 1 inside and 0 outside.

        OpenCV would fill every pixel that the border touches, so the crossings of each row are counted instead.
        """
        mask = np.zeros((height, width), np.uint8)
        top, left = np.clip(np.ceil(self.points.min(0)), 0, (height, width)).astype(int)
        bottom, right = np.clip(np.floor(self.points.max(0)) + 1, 0, (height, width)).astype(int)
        (row, column), (next_row, next_column) = self.points.T[:, :, None], np.roll(self.points, -1, 0).T[:, :, None]
        rows, columns = np.arange(top, bottom), np.arange(left, right)
        crosses = (row <= rows) != (next_row <= rows)  # (P, rows)
        slope = (next_column - column) / np.where(next_row == row, 1.0, next_row - row)
        where = np.where(crosses, column + (rows - row) * slope, -np.inf)
        mask[top:bottom, left:right] = (where[..., None] > columns).sum(0) % 2
        return mask


@dataclass(frozen=True)
class Level:
    """All pixels where a Gaussian bump of this radius, modulated by smooth noise, exceeds half its height.

    grain: standard deviation, in pixels, of the blur that makes the noise smooth. roughness: its standard deviation.
    """

    row: float
    column: float
    radius: float
    grain: float
    roughness: float
    seed: int

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column."""
        return self.row, self.column

    def draw(self, height: int, width: int) -> NDArray[np.uint8]:
        """The mask of shape (height, width), 1 inside and 0 outside."""
        down, right = np.arange(height)[:, None] - self.row, np.arange(width)[None, :] - self.column
        bump = np.exp(-(down**2 + right**2) / (2 * self.radius**2))
        noise = np.random.Generator(np.random.Philox(self.seed)).standard_normal((height, width), np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), max(self.grain, 0.5))
        waves = smooth / max(float(smooth.std()), 1e-6)
        return np.asarray(bump * (1 + self.roughness * waves) > 0.5, np.uint8)


@dataclass(frozen=True)
class Several:
    """All pixels of any of these shapes."""

    parts: tuple[Stroke, ...]

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column."""
        return _mean(np.array([part.centre for part in self.parts]))

    def draw(self, height: int, width: int) -> NDArray[np.uint8]:
        """The mask of shape (height, width), 1 inside and 0 outside."""
        return np.asarray(np.max([part.draw(height, width) for part in self.parts], 0), np.uint8)


def _within(line: NDArray[np.uint8], radius: float) -> NDArray[np.uint8] | NDArray[np.bool_]:
    """Which pixels lie within `radius` of those that are 1: two ways to the same, each the faster for its radii."""
    if radius <= _SMALL:
        return np.asarray(cv2.dilate(line, _disc(_squared(radius))), np.uint8)
    if not cv2.countNonZero(line):
        return line
    return cv2.distanceTransform(1 - line, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius


def _squared(radius: float) -> int:
    """The largest squared distance between pixels whose root, in OpenCV's float32, is within the radius."""
    single = float(np.float32(radius))
    longer = int(single * single) + 1
    return longer if np.float32(sqrt(longer)) <= single else longer - 1


@cache
def _disc(squared: int) -> NDArray[np.uint8]:
    reach = isqrt(squared)
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(rows**2 + columns**2 <= squared, np.uint8)


Outline = Stroke | Box | Ellipse | Polygon | Level | Several


def _mean(points: NDArray[np.float64]) -> tuple[float, float]:
    row, column = points.sum(0).tolist()
    return row / len(points), column / len(points)


def _pixels(centre: float, half: float, size: int) -> tuple[int, int]:
    first, last = int(np.ceil(centre - half)), int(np.floor(centre + half))
    return min(max(first, 0), size), min(max(last + 1, 0), size)
