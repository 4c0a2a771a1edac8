"""The paper's random-shape mask (Algorithm 1)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le

from core.strict import STRICT
from core.synthesis.masks.lengths import UNITS, Length, ordered
from core.synthesis.outlines import Outline, Stroke

_TURNS = np.where(np.arange(256) % 2 == 0, np.pi, -np.pi)
_TURNED = _TURNS.cumsum()


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

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_points", "max_points")
        ordered(self, "min_width", "max_width")
        ordered(self, "min_length", "max_length")

    def decide(self, rng: np.random.Generator, height: int, width: int) -> Outline:
        """Walk Algorithm 1. Points may leave the frame; X is the row, Y the column, and both flips are coin tosses."""
        return self.decide_each([rng], height, width)[0]

    def decide_each(self, generators: Iterable[np.random.Generator], height: int, width: int) -> list[Stroke]:
        """What `decide` makes of each generator, asked in turn: on arrays this small, calls cost more than numbers."""
        counts, starts, walks = [], [], []
        for rng in generators:
            counts.append(count := int(rng.integers(self.min_points, self.max_points + 1)))
            drawn = rng.random(6 + 2 * count)
            starts.append((*drawn[:4].tolist(), *drawn[-2:].tolist()))
            walks.append(drawn[4:-2].reshape(2, count))
        first = np.array(starts)
        sigma, length = np.zeros((2, len(walks), max(counts)))
        for index, (count, walk) in enumerate(zip(counts, walks, strict=True)):
            sigma[index, :count], length[index, :count] = walk
        # The sum of (1 + U(-s, s)) * pi with alternating signs.
        angle = (sigma * _TURNS[: max(counts)]).cumsum(1) * (2 * self.jitter)
        angle += (1 - self.jitter) * _TURNED[: max(counts)] + 2 * np.pi * first[:, 3:4]
        length = ((self.max_length - self.min_length) * length + self.min_length) * (height / UNITS)
        frame, flipped = np.array((height, width)), first[:, 4:] < 0.5
        points = np.empty((len(walks), 1 + max(counts), 2))
        points[:, 0] = np.where(flipped, frame - 1 - frame * first[:, :2], frame * first[:, :2])
        np.multiply(length, np.sin(angle), out=points[:, 1:, 0])
        np.multiply(length, np.cos(angle), out=points[:, 1:, 1])
        points[:, 1:] *= np.where(flipped, -1, 1)[:, None]
        points = points.cumsum(1)
        widths = ((self.max_width - self.min_width) * first[:, 2] + self.min_width) * (height / UNITS)
        walked = zip(points, counts, widths.tolist(), strict=True)
        return [Stroke(vertices[: count + 1], brush) for vertices, count, brush in walked]
