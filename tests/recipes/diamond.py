"""Squares that stand on a corner."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from core.strict import STRICT
from core.synthesis.masks.lengths import UNITS, Length, centred
from core.synthesis.outlines import Outline, Polygon


@dataclass(frozen=True)
class Diamond:
    """A square of this half diagonal, its centre anywhere in the frame."""

    kind: Literal["diamond"] = "diamond"
    reach: Length = 16.0

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Draw a centre in the frame."""
        corners = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]], np.float64)
        return Polygon(centred(rng, height, width) + corners * self.reach * height / UNITS)
