"""What happens to the pixels inside a mask: the three transforms of eq. 1, and the mix in which they occur.

All three are one affine change, g(I + gain * I + offset + N), so a batch of mixed transforms is one expression.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

Weight = Annotated[float, Ge(0), Le(1000)]
Spread = Annotated[float, Gt(0), Le(10)]


@dataclass(frozen=True)
class Change:
    """A decided transform. noise_std is 0 without noise; the noise image follows from noise_seed alone."""

    name: Literal["noise", "shift", "scale"]
    gain: float = 0.0
    offset: float = 0.0
    noise_std: float = 0.0
    noise_seed: int = 0

    def noise(self, height: int, width: int) -> NDArray[np.float32]:
        """The noise image N ~ N(0, noise_std) of shape (height, width), independent per pixel."""
        generator = np.random.Generator(np.random.Philox(self.noise_seed))
        return generator.standard_normal((height, width), np.float32) * np.float32(self.noise_std)

    def apply(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """g(I + gain * I + offset + N) for one image (H, W) in [0, 1]; g clips to [0, 1]."""
        changed = image * np.float32(1 + self.gain) + np.float32(self.offset)
        if self.noise_std > 0:
            changed += self.noise(*image.shape)
        return np.clip(changed, 0, 1, out=changed)


@dataclass(frozen=True)
class Noise:
    """g(I + N), N ~ N(0, std) per pixel. weight: relative frequency in the mix."""

    weight: Weight = 1.0
    std: Spread = 1.0

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    def decide(self, rng: np.random.Generator) -> Change:
        """Draw the seed of the noise image."""
        return Change("noise", noise_std=self.std, noise_seed=int(rng.integers(2**63)))


@dataclass(frozen=True)
class Shift:
    """g(I + c), c ~ N(0, std), one scalar per image: luminance."""

    weight: Weight = 1.0
    std: Spread = 1.0

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    def decide(self, rng: np.random.Generator) -> Change:
        """Draw c."""
        return Change("shift", offset=float(rng.normal(0, self.std)))


@dataclass(frozen=True)
class Scale:
    """g(I + I * c), c ~ N(0, std), one scalar per image: contrast."""

    weight: Weight = 1.0
    std: Spread = 1.0

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    def decide(self, rng: np.random.Generator) -> Change:
        """Draw c."""
        return Change("scale", gain=float(rng.normal(0, self.std)))


@dataclass(frozen=True)
class Mix:
    """The transform mix: each transform occurs in proportion to its weight; the paper's is uniform."""

    noise: Noise = field(default_factory=Noise)
    shift: Shift = field(default_factory=Shift)
    scale: Scale = field(default_factory=Scale)

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if self.noise.weight + self.shift.weight + self.scale.weight <= 0:
            raise ValueError("the weights of noise, shift and scale are all 0; at least one must be positive")

    def decide(self, rng: np.random.Generator) -> Change:
        """Choose one transform by weight and draw its quantity."""
        members = (self.noise, self.shift, self.scale)
        weights = np.array([member.weight for member in members])
        chosen = rng.choice(len(members), p=weights / weights.sum())
        return members[chosen].decide(rng)
