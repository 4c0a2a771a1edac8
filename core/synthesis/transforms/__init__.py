"""Transforms and the mix in which they occur. A new one is one file and one field of `Mix`; the contract in
tests/synthesis holds it from then on, and `core.probes` says which families of the probe it gives away.
"""

from bisect import bisect_right
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from core.strict import STRICT
from core.synthesis.changes import Change
from core.synthesis.transforms.borrowing import CutPaste, Foreign, Poisson
from core.synthesis.transforms.deformation import Warp
from core.synthesis.transforms.intensity import Noise, Scale, Shift
from core.synthesis.transforms.terms import Place, nobody
from core.synthesis.transforms.texture import Blur, Coarse, Erase, Gamma

__all__ = [
    "Blur",
    "Coarse",
    "CutPaste",
    "Erase",
    "Foreign",
    "Gamma",
    "Mix",
    "Noise",
    "Place",
    "Poisson",
    "Scale",
    "Shift",
    "Transform",
    "Warp",
    "nobody",
]

Transform = Noise | Shift | Scale | Gamma | Coarse | Erase | Blur | Warp | Foreign | Poisson | CutPaste


@dataclass(frozen=True)
class Mix:
    """The transform mix: each transform occurs in proportion to its weight; the paper's is the first three, equally."""

    noise: Noise = field(default_factory=Noise)
    shift: Shift = field(default_factory=Shift)
    scale: Scale = field(default_factory=Scale)
    gamma: Gamma = field(default_factory=Gamma)
    coarse: Coarse = field(default_factory=Coarse)
    erase: Erase = field(default_factory=Erase)
    blur: Blur = field(default_factory=Blur)
    warp: Warp = field(default_factory=Warp)
    foreign: Foreign = field(default_factory=Foreign)
    poisson: Poisson = field(default_factory=Poisson)
    cutpaste: CutPaste = field(default_factory=CutPaste)

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        if sum(member.weight for member in self.members.values()) <= 0:
            raise ValueError(f"the weights of {', '.join(self.members)} are all 0; at least one must be positive")

    @property
    def members(self) -> dict[str, Transform]:
        """The transforms by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def decide(self, rng: np.random.Generator, place: Place) -> Change:
        """Choose one transform by weight and draw its quantity."""
        members, cumulative = self._choices
        return members[bisect_right(cumulative, rng.random())].decide(rng, place)

    @cached_property
    def _choices(self) -> tuple[list[Transform], list[float]]:
        """The transforms, and the cumulative probabilities at which the next one begins."""
        members = list(self.members.values())
        cumulative = np.cumsum([member.weight for member in members])
        return members, (cumulative / cumulative[-1]).tolist()
