"""The paper's random-shape mask (Algorithm 1)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le

from core.synthesis.masks.lengths import UNITS, Length, ordered
from core.synthesis.outlines import Outline, Stroke


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

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        ordered(self, "min_points", "max_points")
        ordered(self, "min_width", "max_width")
        ordered(self, "min_length", "max_length")

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Walk Algorithm 1. Points may leave the frame; X is the row, Y the column, and both flips are coin tosses."""
        unit = height / UNITS
        count = int(rng.integers(self.min_points, self.max_points + 1))
        start = rng.uniform(0, (height, width))
        brush = rng.uniform(self.min_width, self.max_width)
        heading = rng.uniform(0, 2 * np.pi)
        sigma = rng.uniform(-self.jitter, self.jitter, count)
        turns = (1 + sigma) * np.pi * np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
        angle = heading + np.cumsum(turns)
        length = rng.uniform(self.min_length, self.max_length, count) * unit
        steps = np.stack([length * np.sin(angle), length * np.cos(angle)], 1)
        points = np.concatenate([start[None], start + np.cumsum(steps, 0)])
        flip = rng.random(2) < 0.5
        points = np.where(flip, np.array([height - 1, width - 1]) - points, points)
        return Stroke(points, brush * unit)
