"""The paper's three transforms (eq. 1)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from core.strict import STRICT
from core.synthesis.changes import Affine, Change
from core.synthesis.transforms.terms import Place, Spread, Weight


@dataclass(frozen=True)
class Noise:
    """g(I + N), N ~ N(0, std) per pixel. weight: relative frequency in the mix."""

    weight: Weight = 1.0
    std: Spread = 1.0

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def decide(self, rng: np.random.Generator, place: Place) -> Change:
        """Draw the seed of the noise image."""
        return Affine("noise", noise_std=self.std, noise_seed=int(rng.integers(2**63)), window=place.window)


@dataclass(frozen=True)
class Shift:
    """g(I + c), c ~ N(0, std), one scalar per image: luminance."""

    weight: Weight = 1.0
    std: Spread = 1.0

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def decide(self, rng: np.random.Generator, place: Place) -> Change:
        """Draw c."""
        return Affine("shift", offset=float(rng.normal(0, self.std)))


@dataclass(frozen=True)
class Scale:
    """g(I + I * c), c ~ N(0, std), one scalar per image: contrast."""

    weight: Weight = 1.0
    std: Spread = 1.0

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def decide(self, rng: np.random.Generator, place: Place) -> Change:
        """Draw c."""
        return Affine("scale", gain=float(rng.normal(0, self.std)))
