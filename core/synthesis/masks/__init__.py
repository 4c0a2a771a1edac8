"""Mask families that a trial may train on. Each decides an outline from a generator. A new one is one file and one name
in `Mask`; the contract in tests/synthesis holds it from then on.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from core.synthesis.masks.blob import Blob
from core.synthesis.masks.brush import Brush
from core.synthesis.masks.circle import Circle
from core.synthesis.masks.cutpaste import Rectangle, Scar
from core.synthesis.masks.ellipse import Ellipse, Parallelogram
from core.synthesis.masks.freeform import FreeForm
from core.synthesis.masks.lengths import UNITS
from core.synthesis.masks.polygon import Polygon
from core.synthesis.masks.square import Square
from core.synthesis.masks.whole import Whole
from core.synthesis.outlines import Outline

Mask = Brush | FreeForm | Circle | Ellipse | Square | Rectangle | Scar | Parallelogram | Polygon | Blob | Whole

__all__ = [
    "UNITS",
    "Blob",
    "Brush",
    "Circle",
    "Ellipse",
    "FreeForm",
    "Mask",
    "Parallelogram",
    "Polygon",
    "Rectangle",
    "Scar",
    "Square",
    "Whole",
    "decide_each",
]


def decide_each(mask: Mask, generators: Iterable[np.random.Generator], height: int, width: int) -> Sequence[Outline]:
    """An outline by each of these generators, which are asked one after another."""
    if isinstance(mask, Brush):
        return mask.decide_each(generators, height, width)
    return [mask.decide(rng, height, width) for rng in generators]
