"""Transforms of the literature that change grey levels or texture. All are off in the paper's mix (weight 0)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Le

from core.strict import STRICT
from core.synthesis.changes import Change, Fill, Power, Smooth, Waves
from core.synthesis.masks.lengths import Length, ordered
from core.synthesis.transforms.terms import Place, Spread, Weight


@dataclass(frozen=True)
class Gamma:
    """I to a power whose logarithm is N(0, std): a smooth change of intensity (Baugh et al., many-tasks)."""

    weight: Weight = 0.0
    std: Spread = 0.7

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def decide(self, rng: np.random.Generator, place: Place) -> Change:
        """Draw the exponent."""
        return Power(float(np.exp(np.clip(rng.normal(0, self.std), -4, 4))))


@dataclass(frozen=True)
class Coarse:
    """Noise on a coarse grid (Kascenas et al., DAE): N(0, std) on cells x cells, enlarged and rolled."""

    weight: Weight = 0.0
    std: Spread = 0.2
    cells: Annotated[int, Ge(2), Le(128)] = 16

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def decide(self, rng: np.random.Generator, place: Place) -> Change:
        """Draw the seed of the grid."""
        return Waves(self.std, self.cells, int(rng.integers(2**63)))


@dataclass(frozen=True)
class Erase:
    """One grey, U(low, high), instead of the tissue (context encoders; ceVAE)."""

    weight: Weight = 0.0
    min_value: Annotated[float, Ge(0), Le(1)] = 0.0
    max_value: Annotated[float, Ge(0), Le(1)] = 1.0

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_value", "max_value")

    def decide(self, rng: np.random.Generator, place: Place) -> Change:
        """Draw the grey."""
        return Fill(float(rng.uniform(self.min_value, self.max_value)))


@dataclass(frozen=True)
class Blur:
    """Texture lost: a Gaussian blur whose standard deviation is U(min_sigma, max_sigma), in 1/128 of a side."""

    weight: Weight = 0.0
    min_sigma: Length = 2.0
    max_sigma: Length = 8.0

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        ordered(self, "min_sigma", "max_sigma")

    def decide(self, rng: np.random.Generator, place: Place) -> Change:
        """Draw the standard deviation."""
        return Smooth(float(rng.uniform(self.min_sigma, self.max_sigma)) * place.unit)
