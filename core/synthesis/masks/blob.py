"""Blobs: smooth noise, cut at a level within a disc; lobed, sometimes in several parts."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le

from core.strict import STRICT
from core.synthesis.masks.lengths import UNITS, Length, centred, ordered
from core.synthesis.outlines import Level, Outline


@dataclass(frozen=True)
class Blob:
    """Where a bump plus smooth noise is high. grain: correlation length of the noise; roughness: its share."""

    kind: Literal["blob"] = "blob"
    min_radius: Length = 8.0
    max_radius: Length = 24.0
    grain: Length = 8.0
    roughness: Annotated[float, Ge(0), Le(2)] = 0.4

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_radius", "max_radius")

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Draw the centre, the radius and the seed of the noise."""
        row, column = centred(rng, height, width)
        unit = height / UNITS
        radius = rng.uniform(self.min_radius, self.max_radius) * unit
        seed = int(rng.integers(2**63))
        return Level(float(row), float(column), float(radius), self.grain * unit, self.roughness, seed)
