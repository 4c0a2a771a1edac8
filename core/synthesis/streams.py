"""Random numbers by counter: those of a slice, or of a noise image, follow from its key alone, in whatever order asked.

NumPy takes ten times as long to make a generator as to set one to another place, which is all that a slice needs.
"""

import threading

import numpy as np
from numpy.typing import NDArray


class Streams:
    """The random numbers of the slices of an epoch: 2^64 lanes of 2^128 numbers for each row, of one sequence."""

    def __init__(self, seed: int, epoch: int) -> None:
        self._bits = np.random.Philox(np.random.SeedSequence([seed, epoch]))
        self._start = self._bits.state
        self._counter = self._start["state"]["counter"]
        self._generator = np.random.Generator(self._bits)

    def of(self, row: int, lane: int = 0) -> np.random.Generator:
        """A generator at the first number of a row's lane. It is the same one for all, so take them in turn."""
        self._counter[2], self._counter[3] = lane, row
        self._bits.state = self._start
        return self._generator


def normal(seed: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """N(0, 1), independent per pixel, float32. seed: below 2^64."""
    noise: NDArray[np.float32] = _NOISE.of(seed).standard_normal(shape, np.float32)
    return noise


class _Noise(threading.local):
    """A generator for each thread."""

    def __init__(self) -> None:
        self._bits = np.random.Philox(key=0)
        self._start = self._bits.state
        self._generator = np.random.Generator(self._bits)

    def of(self, seed: int) -> np.random.Generator:
        self._start["state"]["key"][0] = seed
        self._bits.state = self._start
        return self._generator


_NOISE = _Noise()
