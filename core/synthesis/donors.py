"""Slices that lend tissue to others: who lends to whom, by chance from a given generator alone."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.slices.table import SliceTable


class Donor(NamedTuple):
    """The slice that lends: its row in the table, its subject, and its pixels (H, W) float32 in [0, 1]."""

    row: int
    subject: str
    image: NDArray[np.float32]


class Donors:
    """The slices of `rows` as donors; give it a training's own rows, so that no probe or test subject lends."""

    def __init__(self, table: SliceTable, rows: NDArray[np.intp]) -> None:
        self._table, self._rows = table, np.sort(rows)
        subjects = table.subject[self._rows]
        self._rows_of = {str(subject): self._rows[subjects == subject] for subject in np.unique(subjects)}
        # Where a slice lies in its volume, 0 to 1, so that volumes of other spacing meet at the same anatomy.
        self._position = np.zeros(len(table))
        for volume in range(len(table.image_views())):
            start, end = table.span(volume)
            index = table.slice_index[start:end]
            self._position[start:end] = (index - index.min()) / max(int(index.max() - index.min()), 1)

    def choose(self, rng: np.random.Generator, row: int) -> Donor:
        """A slice of another subject, drawn uniformly, at the nearest relative position; of equals, the first.

        With a single subject, its own nearest other slice lends; a row that is alone lends to itself, and then nothing
        changes, which the epsilon rule catches.
        """
        others = [subject for subject in self._rows_of if subject != self._table.subject[row]]
        if others:
            rows = self._rows_of[others[int(rng.integers(len(others)))]]
        else:
            rows = self._rows[self._rows != row] if (self._rows != row).any() else self._rows
        found = int(rows[np.argmin(np.abs(self._position[rows] - self._position[row]))])
        pixels = self._table.images(np.array([found]))[0] / np.float32(255)
        return Donor(found, str(self._table.subject[found]), np.asarray(pixels, np.float32))
