"""What all transforms share: the types of their settings, and where a change takes place."""

from typing import Annotated, NamedTuple

from annotated_types import Ge, Gt, Le

Weight = Annotated[float, Ge(0), Le(1000)]
Spread = Annotated[float, Gt(0), Le(10)]


class Place(NamedTuple):
    """The mask's centre in pixels, and how many pixels one unit of length (1/128 of a side) is."""

    row: float
    column: float
    unit: float
