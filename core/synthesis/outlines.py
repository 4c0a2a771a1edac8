"""Decided shapes: where a mask lies, in pixels of one frame, before anything is drawn.

Coordinates are (row, column); a pixel's centre has whole-numbered coordinates. A pixel belongs to a shape when its
centre does. The OpenCV drawing here is what trainings see; `core.synthesis.device` draws the same records as a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from math import ceil, isqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from core.synthesis.patches import InFrame, Patch

_BITS = 8  # fractional bits of OpenCV's fixed-point coordinates
_ONE = 1 << _BITS
_SMALL = 8  # radius in pixels up to which dilation is faster than a distance transform


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
        """The mask of shape (height, width), 1 inside and 0 outside."""
        return self.patch(height, width).full(height, width)

    def patch(self, height: int, width: int) -> Patch:
        """The same mask, within a box about its bounding box."""
        return _patches([self], height, width)[0]


@dataclass(frozen=True)
class Box(InFrame):
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
class Ellipse(InFrame):
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
class Polygon(InFrame):
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
class Level(InFrame):
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
class Several(InFrame):
    """All pixels of any of these shapes."""

    parts: tuple[Stroke, ...]

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column."""
        return _mean(np.array([part.centre for part in self.parts]))

    def draw(self, height: int, width: int) -> NDArray[np.uint8]:
        """The mask of shape (height, width), 1 inside and 0 outside."""
        return np.asarray(np.max([part.draw(height, width) for part in self.parts], 0), np.uint8)


def patches(outlines: Sequence["Outline"], height: int, width: int) -> list[Patch]:
    """The masks of these outlines, strokes together: on arrays this small, calls cost more than numbers."""
    strokes = [outline for outline in outlines if isinstance(outline, Stroke)]
    if len(strokes) == len(outlines):
        return _patches(strokes, height, width)
    return [outline.patch(height, width) for outline in outlines]


def _patches(strokes: Sequence[Stroke], height: int, width: int) -> list[Patch]:
    """OpenCV draws the bare polylines and measures the distance to them.

    They are rounded to whole pixels, so the border may be off by less than one pixel, or two where it comes from far
    outside the frame. Drawing them with a thickness would round the width as well.
    """
    counts = [len(stroke.points) for stroke in strokes]
    starts = [0, *accumulate(counts[:-1])]
    points = np.concatenate([stroke.points for stroke in strokes])
    vertices = np.rint(points[:, ::-1] * _ONE).astype(np.int32)
    # Only the part of a stroke's surroundings that can touch the frame is drawn, on a canvas of its own.
    reach = np.array([[ceil(stroke.width / 2) + 1] for stroke in strokes])
    begin = np.maximum(np.minimum.reduceat(vertices, starts) >> _BITS, 0) - reach
    end = np.minimum((np.maximum.reduceat(vertices, starts) >> _BITS) + 2, (width, height)) + reach
    vertices -= np.repeat(begin, counts, 0) << _BITS
    # Columns and rows of each canvas, and where it overlaps the frame.
    sizes, seen_from = end - begin, np.maximum(-begin, 0)
    first, last = begin + seen_from, np.minimum(end, (width, height))
    every = zip(strokes, starts, counts, *(each.tolist() for each in (sizes, seen_from, first, last)), strict=True)
    drawn = []
    for stroke, start, count, size, (across, down), (left, top), (right, bottom) in every:
        if top >= bottom or left >= right:
            drawn.append(_NOWHERE)
            continue
        canvas = np.zeros(size[::-1], np.uint8)
        # A line of a single point is drawn only when it is closed.
        cv2.polylines(canvas, [vertices[start : start + count]], count == 1, 1, 1, cv2.LINE_8, _BITS)
        inside = _within(canvas, stroke.width / 2)[down : down + bottom - top, across : across + right - left]
        drawn.append(Patch((slice(top, bottom), slice(left, right)), inside))
    return drawn


def _within(line: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    """Which pixels lie within `radius` of those that are 1: two ways to the same, each the faster for its radii."""
    if radius <= _SMALL:
        # What OpenCV's distances in float32 would round to the radius counts as within it.
        return np.asarray(cv2.dilate(line, _disc(int(radius * radius + 1e-6))), np.uint8)
    if not cv2.countNonZero(line):
        return line
    distance = np.asarray(cv2.distanceTransform(1 - line, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
    return (distance <= radius).view(np.uint8)


@cache
def _disc(squared: int) -> NDArray[np.uint8]:
    reach = isqrt(squared)
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(rows**2 + columns**2 <= squared, np.uint8)


Outline = Stroke | Box | Ellipse | Polygon | Level | Several
_NOWHERE = Patch((slice(0, 0), slice(0, 0)), np.zeros((0, 0), np.uint8))


def _mean(points: NDArray[np.float64]) -> tuple[float, float]:
    row, column = points.sum(0).tolist()
    return row / len(points), column / len(points)


def _pixels(centre: float, half: float, size: int) -> tuple[int, int]:
    first, last = int(np.ceil(centre - half)), int(np.floor(centre + half))
    return min(max(first, 0), size), min(max(last + 1, 0), size)
