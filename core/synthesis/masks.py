"""Mask families that a trial may train on. Each decides an outline from a generator; lengths are in 1/128 of a side.

The unit makes a configuration mean the same anatomy at every resolution; at 128x128, the paper's, it is a pixel.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from core.synthesis.outlines import Box, Outline, Stroke

UNITS = 128
Length = Annotated[float, Gt(0), Le(128)]


def _ordered(mask: object, low: str, high: str) -> None:
    if getattr(mask, low) > getattr(mask, high):
        raise ValueError(f"{low} = {getattr(mask, low)} must not exceed {high} = {getattr(mask, high)}")


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
        _ordered(self, "min_points", "max_points")
        _ordered(self, "min_width", "max_width")
        _ordered(self, "min_length", "max_length")

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


@dataclass(frozen=True)
class Circle:
    """A disc with uniform centre and radius: the paper's wording for FPI's masks (Fig. 4)."""

    kind: Literal["circle"] = "circle"
    min_radius: Length = 4.0
    max_radius: Length = 20.0

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        _ordered(self, "min_radius", "max_radius")

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Draw a centre in the frame and a radius."""
        centre = _centre(rng, height, width)
        return Stroke(centre[None], 2 * rng.uniform(self.min_radius, self.max_radius) * height / UNITS)


@dataclass(frozen=True)
class Square:
    """An axis-aligned square with uniform centre and side, as in ceVAE and in FPI's own code (Fig. 4)."""

    kind: Literal["square"] = "square"
    min_side: Length = 8.0
    max_side: Length = 36.0

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        _ordered(self, "min_side", "max_side")

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Draw a centre in the frame and a side."""
        row, column = _centre(rng, height, width)
        return Box(float(row), float(column), rng.uniform(self.min_side, self.max_side) / 2 * height / UNITS)


Mask = Brush | Circle | Square


def _centre(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    return rng.uniform(0, (height, width))
