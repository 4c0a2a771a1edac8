"""Discs: what the paper calls FPI's masks."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from core.strict import STRICT
from core.synthesis.masks.lengths import UNITS, Length, centred, ordered
from core.synthesis.outlines import Outline, Stroke


@dataclass(frozen=True)
class Circle:
    """A disc with uniform centre and radius: the paper's wording for FPI's masks (Fig. 4)."""

    kind: Literal["circle"] = "circle"
    min_radius: Length = 4.0
    max_radius: Length = 20.0

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_radius", "max_radius")

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Draw a centre in the frame and a radius."""
        centre = centred(rng, height, width)
        return Stroke(centre[None], 2 * rng.uniform(self.min_radius, self.max_radius) * height / UNITS)
