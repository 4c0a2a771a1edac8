"""The unit of lengths, 1/128 of a side, and what else all masks share.

The unit makes a configuration mean the same anatomy at every resolution; at 128x128, the paper's, it is a pixel.
"""

from typing import Annotated

import numpy as np
from annotated_types import Gt, Le
from numpy.typing import NDArray

UNITS = 128
Length = Annotated[float, Gt(0), Le(128)]


def ordered(mask: object, low: str, high: str) -> None:
    """Raise ValueError when a mask's lower bound exceeds its upper one."""
    if getattr(mask, low) > getattr(mask, high):
        raise ValueError(f"{low} = {getattr(mask, low)} must not exceed {high} = {getattr(mask, high)}")


def centred(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    """A uniform point of the frame: row and column."""
    return rng.random(2) * (height, width)


def turned(points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Points (P, 2) turned about the origin."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array([[cosine, sine], [-sine, cosine]]), np.float64)
