"""Sources and sinks (Tan et al., FPI's test set; Baugh et al., many-tasks)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Gt, Le

from core.strict import STRICT
from core.synthesis.changes import Change, Pull
from core.synthesis.masks.lengths import Length, ordered
from core.synthesis.transforms.terms import Place, Weight


@dataclass(frozen=True)
class Warp:
    """Tissue pushed from the mask's centre or drawn to it; off in the paper's mix (weight 0).

    radius: how far it reaches, U(min_radius, max_radius) in 1/128 of a side. amount: the largest share by which a
    pixel's distance to the centre changes, U(amount / 2, amount) either way; up to 0.8 nothing folds.
    """

    weight: Weight = 0.0
    min_radius: Length = 12.0
    max_radius: Length = 32.0
    amount: Annotated[float, Gt(0), Le(0.8)] = 0.6

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_radius", "max_radius")

    def decide(self, rng: np.random.Generator, place: Place) -> Change:
        """Draw reach, amount and direction."""
        radius = rng.uniform(self.min_radius, self.max_radius) * place.unit
        amount = rng.uniform(self.amount / 2, self.amount) * rng.choice([-1, 1])
        return Pull(*place.outline.centre, float(radius), float(amount))
