"""CutPaste's two shapes (Li et al. 2021): a rectangle of wide aspect range, and a thin turned scar."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from core.strict import STRICT
from core.synthesis.masks.lengths import UNITS, Length, centred, ordered, turned
from core.synthesis.outlines import Outline, Polygon

_CORNERS = np.array([(-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5)])


@dataclass(frozen=True)
class Rectangle:
    """An upright rectangle. area: share of the frame. aspect: longer over shorter side, upright or lying."""

    kind: Literal["rectangle"] = "rectangle"
    min_area: Annotated[float, Gt(0), Le(0.5)] = 0.02
    max_area: Annotated[float, Gt(0), Le(0.5)] = 0.15
    max_aspect: Annotated[float, Ge(1), Le(16)] = 3.3

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_area", "max_area")

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Draw centre, area, aspect, and which side is the longer."""
        centre = centred(rng, height, width)
        area = rng.uniform(self.min_area, self.max_area) * height * width
        aspect = rng.uniform(1, self.max_aspect)
        sides = np.sqrt([area / aspect, area * aspect])
        return Polygon(centre + _CORNERS * (sides if rng.random() < 0.5 else sides[::-1]))


@dataclass(frozen=True)
class Scar:
    """A thin rectangle turned by up to `max_angle` degrees; the defaults are the published ones at 256x256, halved.

    The least width is twice that: it would be half a pixel at 64x64.
    """

    kind: Literal["scar"] = "scar"
    min_width: Length = 2.0
    max_width: Length = 8.0
    min_length: Length = 5.0
    max_length: Length = 13.0
    max_angle: Annotated[float, Ge(0), Le(180)] = 45.0

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_width", "max_width")
        ordered(self, "min_length", "max_length")

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Draw centre, both sides and the angle."""
        centre = centred(rng, height, width)
        sides = rng.uniform((self.min_length, self.min_width), (self.max_length, self.max_width)) * height / UNITS
        angle = np.deg2rad(rng.uniform(-self.max_angle, self.max_angle))
        return Polygon(centre + turned(_CORNERS * sides, float(angle)))
