"""Free-form strokes of Yu et al. (generative inpainting), from which the paper's Algorithm 1 descends."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le

from core.strict import STRICT
from core.synthesis.masks.lengths import UNITS, Length, centred, ordered
from core.synthesis.outlines import Outline, Several, Stroke

_TURN = np.deg2rad(72.0)
_SPREAD = np.deg2rad(24.0)


@dataclass(frozen=True)
class FreeForm:
    """One to three strokes that turn sharply at each vertex; the defaults are Yu et al.'s at 256x256, halved.

    Directions are absolute, so without flips all strokes would drift to one corner. Their code computes two flips and
    discards the result; here they are made, each in half of the masks.
    length: mean of a segment, which is N(length, length / 2) between 0 and twice the mean.
    """

    kind: Literal["free-form"] = "free-form"
    min_strokes: Annotated[int, Ge(1), Le(16)] = 1
    max_strokes: Annotated[int, Ge(1), Le(16)] = 3
    min_points: Annotated[int, Ge(1), Le(256)] = 4
    max_points: Annotated[int, Ge(1), Le(256)] = 11
    min_width: Length = 6.0
    max_width: Length = 20.0
    length: Length = 22.6

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_strokes", "max_strokes")
        ordered(self, "min_points", "max_points")
        ordered(self, "min_width", "max_width")

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Draw each stroke, then both flips. Vertices are kept inside the frame."""
        count = rng.integers(self.min_strokes, self.max_strokes + 1)
        strokes = [self._stroke(rng, height, width) for _ in range(count)]
        flip, ends = rng.random(2) < 0.5, np.array([height - 1, width - 1])
        return Several(tuple(Stroke(np.where(flip, ends - one.points, one.points), one.width) for one in strokes))

    def _stroke(self, rng: np.random.Generator, height: int, width: int) -> Stroke:
        unit = height / UNITS
        count = int(rng.integers(self.min_points, self.max_points + 1))
        angle = rng.uniform(_TURN - rng.uniform(0, _SPREAD), _TURN + rng.uniform(0, _SPREAD), count)
        angle = np.where(np.arange(count) % 2 == 0, 2 * np.pi - angle, angle)
        length = np.clip(rng.normal(self.length, self.length / 2, count), 0, 2 * self.length) * unit
        points = [centred(rng, height, width)]
        for step, direction in zip(length, angle, strict=True):
            away = step * np.array([np.sin(direction), np.cos(direction)])
            points.append(np.clip(points[-1] + away, 0, (height - 1, width - 1)))
        return Stroke(np.array(points), float(rng.uniform(self.min_width, self.max_width)) * unit)
