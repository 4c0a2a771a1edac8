"""Turned ellipses and sheared rectangles (after Baugh et al., many-tasks)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le

from core.strict import STRICT
from core.synthesis.masks.lengths import UNITS, Length, centred, ordered, turned
from core.synthesis.outlines import Ellipse as Oval
from core.synthesis.outlines import Outline, Polygon

_CORNERS = np.array([(-1.0, -1.0), (-1.0, 1.0), (1.0, 1.0), (1.0, -1.0)])


@dataclass(frozen=True)
class Ellipse:
    """An ellipse of uniform centre, semi-axes and angle."""

    kind: Literal["ellipse"] = "ellipse"
    min_radius: Length = 4.0
    max_radius: Length = 24.0

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_radius", "max_radius")

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Draw the centre, both semi-axes and the angle."""
        row, column = centred(rng, height, width)
        first, second = rng.uniform(self.min_radius, self.max_radius, 2) * height / UNITS
        return Oval(float(row), float(column), float(first), float(second), float(rng.uniform(0, np.pi)))


@dataclass(frozen=True)
class Parallelogram:
    """A rectangle that is sheared and turned. shear: largest shift of a side along itself, in heights."""

    kind: Literal["parallelogram"] = "parallelogram"
    min_side: Length = 8.0
    max_side: Length = 40.0
    shear: Annotated[float, Ge(0), Le(2)] = 0.5

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_side", "max_side")

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Draw the centre, both sides, the shear and the angle."""
        centre = centred(rng, height, width)
        sides = rng.uniform(self.min_side, self.max_side, 2) * height / UNITS
        corners = _CORNERS * sides / 2
        corners[:, 1] += rng.uniform(-self.shear, self.shear) * corners[:, 0]
        return Polygon(centre + turned(corners, float(rng.uniform(0, 2 * np.pi))))
