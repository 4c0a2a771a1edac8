"""Transforms that bring in other tissue. All are off in the paper's mix (weight 0)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from core.strict import STRICT
from core.synthesis.changes import Change, Mixed, Moved, Seamless
from core.synthesis.masks.lengths import ordered
from core.synthesis.transforms.terms import Place, Weight

Share = Annotated[float, Gt(0), Le(1)]


@dataclass(frozen=True)
class Foreign:
    """Interpolation with the same place of another subject's slice, by U(min_factor, max_factor) (Tan et al., FPI)."""

    weight: Weight = 0.0
    min_factor: Share = 0.05
    max_factor: Share = 0.95

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_factor", "max_factor")

    def decide(self, rng: np.random.Generator, place: Place) -> Change:
        """Draw the donor and the factor."""
        donor = place.donor(rng)
        return Mixed(float(rng.uniform(self.min_factor, self.max_factor)), donor.row, donor.subject, donor.image)


@dataclass(frozen=True)
class Poisson:
    """As `Foreign`, but without a seam: Poisson blending with mixed gradients (Tan et al., PII)."""

    weight: Weight = 0.0
    min_factor: Share = 0.05
    max_factor: Share = 0.95

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_factor", "max_factor")

    def decide(self, rng: np.random.Generator, place: Place) -> Change:
        """Draw the donor and the factor."""
        donor = place.donor(rng)
        return Seamless(float(rng.uniform(self.min_factor, self.max_factor)), donor.row, donor.subject, donor.image)


@dataclass(frozen=True)
class CutPaste:
    """A patch of the same slice from elsewhere, its brightness times U(1 - jitter, 1 + jitter) (Li et al.)."""

    weight: Weight = 0.0
    jitter: Annotated[float, Ge(0), Lt(1)] = 0.1

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def decide(self, rng: np.random.Generator, place: Place) -> Change:
        """Draw how far away it is cut, any distance alike, and its brightness."""
        down, right = rng.uniform(0, 1, 2)
        return Moved(float(down), float(right), float(rng.uniform(1 - self.jitter, 1 + self.jitter)))
