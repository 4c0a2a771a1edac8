"""What all transforms share: the types of their settings, and where a change takes place."""

from collections.abc import Callable
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le

from core.synthesis.donors import Donor
from core.synthesis.outlines import Outline
from core.synthesis.patches import Window


def nobody(_rng: np.random.Generator) -> Donor:
    """Lends nothing: raises ValueError."""
    raise ValueError("this mix borrows from other slices: give `pseudo_outlier` the Donors of the training's rows")


Weight = Annotated[float, Ge(0), Le(1000)]
Spread = Annotated[float, Gt(0), Le(10)]


class Place(NamedTuple):
    """The mask's outline, and how many pixels one unit of length (1/128 of a side) is.

    donor: draws the slice that lends tissue; by default nobody lends, and it raises ValueError. window: beyond it
    nothing will be seen of the change; None is the whole slice.
    """

    outline: Outline
    unit: float
    donor: Callable[[np.random.Generator], Donor] = nobody
    window: Window | None = None
