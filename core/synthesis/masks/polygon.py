"""Polygons with random radii, straight or smooth (after Meissen et al., AutoSeg)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from core.strict import STRICT
from core.synthesis.masks.lengths import UNITS, Length, centred, ordered
from core.synthesis.outlines import Outline
from core.synthesis.outlines import Polygon as Corners


@dataclass(frozen=True)
class Polygon:
    """A star-shaped polygon: vertices at even angles with a start of chance, each with a radius of its own.

    smoothing: how often its corners are cut off (Chaikin); 0 leaves them.
    """

    kind: Literal["polygon"] = "polygon"
    min_points: Annotated[int, Ge(3), Le(64)] = 5
    max_points: Annotated[int, Ge(3), Le(64)] = 12
    min_radius: Length = 4.0
    max_radius: Length = 20.0
    smoothing: Annotated[int, Ge(0), Le(3)] = 2

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_points", "max_points")
        ordered(self, "min_radius", "max_radius")

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Draw the centre, the number of vertices, and a radius for each."""
        centre = centred(rng, height, width)
        count = int(rng.integers(self.min_points, self.max_points + 1))
        angle = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(count) / count
        radius = rng.uniform(self.min_radius, self.max_radius, count) * height / UNITS
        points = centre + radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], 1)
        for _ in range(self.smoothing):
            points = _cut_corners(points)
        return Corners(points)


def _cut_corners(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replace each corner by two points, a quarter of the way along its edges."""
    following = np.roll(points, -1, 0)
    return np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1).reshape(-1, 2)
