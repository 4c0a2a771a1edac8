"""Donors for tests: heads that lend their tissue to slices of the same size."""

from collections.abc import Callable

import numpy as np

from core.synthesis import Donor, Donors
from tests.conftest import head


class Lender(Donors):
    """Lends one of four heads of 64x64 pixels to any slice."""

    def __init__(self) -> None:
        """There is no table."""

    def choose(self, rng: np.random.Generator, row: int) -> Donor:
        """One of four, whoever asks."""
        return lent(64, 64)(rng)


def lent(height: int, width: int) -> Callable[[np.random.Generator], Donor]:
    """A function that draws one of four donors of this size."""

    def draw(rng: np.random.Generator) -> Donor:
        row = int(rng.integers(4))
        image = head(50 + row, max(height, width))[:height, :width] / np.float32(255)
        return Donor(row, f"test/lender-{row}", np.ascontiguousarray(image, np.float32))

    return draw
