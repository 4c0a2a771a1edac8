"""Decided shapes: where a mask lies, in pixels of one frame, before anything is drawn.

Coordinates are (row, column); a pixel's centre has whole-numbered coordinates. A pixel belongs to a shape when its
centre does. The OpenCV drawing here serves the CPU; `core.synthesis.device` draws the same records as a batch.
"""

from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

_BITS = 8  # fractional bits of OpenCV's fixed-point coordinates
_ONE = 1 << _BITS


@dataclass(frozen=True, eq=False)
class Stroke:
    """All pixels within `width / 2` of a polyline. One point alone is a disc.

    points: (P, 2) float64, row and column of each vertex; they may lie outside the frame.
    """

    points: NDArray[np.float64]
    width: float

    def draw(self, height: int, width: int) -> NDArray[np.uint8]:
        """The mask of shape (height, width), 1 inside and 0 outside.

        OpenCV draws the bare polyline and measures the distance to it; the polyline is rounded to whole pixels, so
        the border may be off by less than one pixel. Drawing it with a thickness would round the width as well.
        """
        mask = np.zeros((height, width), np.uint8)
        radius = self.width / 2
        reach = ceil(radius) + 1
        # Only the part of the stroke's surroundings that can touch the frame is drawn.
        low = np.maximum(np.floor(self.points.min(0)) - reach, -reach).astype(int)
        high = np.minimum(np.ceil(self.points.max(0)) + reach, (height - 1 + reach, width - 1 + reach)).astype(int)
        if (high < low).any():
            return mask
        canvas = np.ones(high - low + 1, np.uint8)
        # OpenCV draws no polyline of one point, but it does draw one from a point to itself.
        points = self.points if len(self.points) > 1 else np.repeat(self.points, 2, 0)
        vertices = np.rint((points - low)[:, ::-1] * _ONE).astype(np.int32)
        cv2.polylines(canvas, [vertices], False, 0, 1, cv2.LINE_8, _BITS)
        if canvas.all():
            return mask
        inside = cv2.distanceTransform(canvas, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius
        top, left = np.maximum(low, 0)
        bottom, right = np.minimum(high + 1, (height, width))
        mask[top:bottom, left:right] = inside[top - low[0] : bottom - low[0], left - low[1] : right - low[1]]
        return mask


@dataclass(frozen=True)
class Box:
    """All pixels whose row and column differ from the centre's by at most `half`."""

    row: float
    column: float
    half: float

    def draw(self, height: int, width: int) -> NDArray[np.uint8]:
        """The mask of shape (height, width), 1 inside and 0 outside."""
        mask = np.zeros((height, width), np.uint8)
        top, bottom = _pixels(self.row, self.half, height)
        left, right = _pixels(self.column, self.half, width)
        mask[top:bottom, left:right] = 1
        return mask


Outline = Stroke | Box


def _pixels(centre: float, half: float, size: int) -> tuple[int, int]:
    first, last = int(np.ceil(centre - half)), int(np.floor(centre + half))
    return min(max(first, 0), size), min(max(last + 1, 0), size)
