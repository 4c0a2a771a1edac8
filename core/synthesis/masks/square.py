"""Axis-aligned squares: what FPI and ceVAE really use."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Gt, Le

from core.strict import STRICT
from core.synthesis.masks.lengths import UNITS, Length, centred, ordered
from core.synthesis.outlines import Box, Outline


@dataclass(frozen=True)
class Square:
    """An axis-aligned square with uniform centre and side, as in ceVAE and in FPI's own code (Fig. 4).

    core: share of each side of the frame, in its middle, in which the centre lies; FPI takes 0.5 for brains.
    """

    kind: Literal["square"] = "square"
    min_side: Length = 8.0
    max_side: Length = 36.0
    core: Annotated[float, Gt(0), Le(1)] = 1.0

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_side", "max_side")

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Draw a centre in the frame and a side."""
        middle = np.array((height, width)) / 2
        row, column = middle + self.core * (centred(rng, height, width) - middle)
        return Box(float(row), float(column), rng.uniform(self.min_side, self.max_side) / 2 * height / UNITS)
