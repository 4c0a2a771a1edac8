"""Darkening, as old haemorrhages and calcium look in T2."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from core.strict import STRICT
from core.synthesis.changes import Affine, Change
from core.synthesis.transforms.terms import Place, Weight


@dataclass(frozen=True)
class Dim:
    """I times a factor of U(0.2, 0.8)."""

    weight: Weight = 0.0

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def decide(self, rng: np.random.Generator, place: Place) -> Change:
        """Draw the factor."""
        return Affine("dim", gain=float(rng.uniform(0.2, 0.8)) - 1)
