"""Masks without the rest of their frames: most are small, and what happens to a slice happens there."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Window = tuple[slice, slice]
"""Rows and columns of a frame; both ends are given, and lie in the frame."""


class Patch(NamedTuple):
    """The mask (h, w) uint8, 1 inside and 0 outside, of a window of h x w pixels that holds all of it.

    Both are 0 when the shape does not touch the frame.
    """

    window: Window
    mask: NDArray[np.uint8]

    def full(self, height: int, width: int) -> NDArray[np.uint8]:
        """The mask of the whole frame, (height, width)."""
        full = np.zeros((height, width), np.uint8)
        full[self.window] = self.mask
        return full

    def widened(self, reach: int, height: int, width: int) -> "Patch":
        """With `reach` pixels around it, where the frame has them.

        Its columns begin and end at multiples of 16: OpenCV then blurs the same pixels by vector instructions as in the
        whole slice, and rounds them alike.
        """
        if reach == 0:
            return self
        rows, columns = self.window
        left, right = columns.start - reach, columns.stop + reach
        window = (
            slice(max(rows.start - reach, 0), min(rows.stop + reach, height)),
            slice(max(left - left % 16, 0), min(right + -right % 16, width)),
        )
        return Patch(window, self.full(height, width)[window])


class InFrame(ABC):
    """A shape that is drawn in its frame and then cut out of it."""

    @abstractmethod
    def draw(self, height: int, width: int) -> NDArray[np.uint8]:
        """The mask of shape (height, width), 1 inside and 0 outside."""

    def patch(self, height: int, width: int) -> Patch:
        """The same mask, within its bounding box."""
        mask = self.draw(height, width)
        left, top, columns, rows = cv2.boundingRect(mask)
        window = slice(top, top + rows), slice(left, left + columns)
        return Patch(window, mask[window])
