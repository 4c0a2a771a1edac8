"""The paper's random-shape mask (Algorithm 1)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le

from core.strict import STRICT
from core.synthesis.masks.lengths import UNITS, Length, ordered
from core.synthesis.outlines import Outline, Stroke

_TURNS = np.where(np.arange(256) % 2 == 0, 1.0, -1.0)


@dataclass(frozen=True)
class Brush:
    """Random-shape mask, Algorithm 1; the defaults are the paper's (section III.A).

    jitter: half-width s of sigma ~ U(-s, s), drawn afresh at each step. The paper leaves sigma undefined; see README.
    """

    kind: Literal["brush"] = "brush"
    min_points: Annotated[int, Ge(1), Le(256)] = 8
    max_points: Annotated[int, Ge(1), Le(256)] = 32
    min_width: Length = 4.0
    max_width: Length = 16.0
    min_length: Length = 8.0
    max_length: Length = 24.0
    jitter: Annotated[float, Ge(0), Le(1)] = 0.1

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_points", "max_points")
        ordered(self, "min_width", "max_width")
        ordered(self, "min_length", "max_length")

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Walk Algorithm 1. Points may leave the frame; X is the row, Y the column, and both flips are coin tosses."""
        unit = height / UNITS
        count = int(rng.integers(self.min_points, self.max_points + 1))
        # All at once: on arrays this small, calls cost more than numbers.
        drawn = rng.random(6 + 2 * count)
        row, column, brush, heading = drawn[:4].tolist()
        sigma, length = drawn[4 : 4 + count], drawn[4 + count : 4 + 2 * count]
        turns = (1 + (2 * self.jitter * sigma - self.jitter)) * np.pi * _TURNS[:count]
        angle = turns.cumsum() + 2 * np.pi * heading
        length = ((self.max_length - self.min_length) * length + self.min_length) * unit
        points = np.empty((count + 1, 2))
        points[0] = start = height * row, width * column
        points[1:, 0] = (length * np.sin(angle)).cumsum() + start[0]
        points[1:, 1] = (length * np.cos(angle)).cumsum() + start[1]
        for axis, coin in enumerate(drawn[-2:].tolist()):
            if coin < 0.5:
                points[:, axis] = (height, width)[axis] - 1 - points[:, axis]
        return Stroke(points, ((self.max_width - self.min_width) * brush + self.min_width) * unit)
