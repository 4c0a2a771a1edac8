"""Decided transforms: what becomes of a slice inside the mask, before the two are blended.

Each `apply` takes a slice (H, W) float32 in [0, 1] and gives another, without chance. `core.synthesis.device` applies
the same records to a batch.
"""

from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.synthesis.patches import Patch, Window
from core.synthesis.poisson import blend
from core.synthesis.streams import normal

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Affine:
    """g(I + gain * I + offset + N) (eq. 1).

    noise_std: 0 without noise. N follows from noise_seed and its window, beyond which it is 0; None is the whole slice.
    """

    name: Literal["noise", "shift", "scale"]
    gain: float = 0.0
    offset: float = 0.0
    noise_std: float = 0.0
    noise_seed: int = 0
    window: Window | None = None

    @property
    def words(self) -> str:
        """What happens, for people."""
        amounts = {
            "noise": f"noise of std {self.noise_std:.2g}",
            "shift": f"shift by {self.offset:+.2f}",
            "scale": f"scale by {1 + self.gain:.2f}",
        }
        return amounts[self.name]

    def noise(self, height: int, width: int) -> Image:
        """The noise image N ~ N(0, noise_std) of shape (height, width), independent per pixel of its window."""
        noise = np.zeros((height, width), np.float32)
        window = self.window or np.s_[:, :]
        noise[window] = self._noise(noise[window].shape)
        return noise

    def apply(self, image: Image) -> Image:
        """The changed slice."""
        return self.within(image, np.s_[:, :])

    def within(self, image: Image, window: Window) -> Image:
        """That part of the changed slice."""
        changed = image[window] * np.float32(1 + self.gain)
        if self.offset != 0:
            changed += np.float32(self.offset)
        if self.noise_std > 0:
            changed += self._noise(changed.shape) if window == self.window else self.noise(*image.shape)[window]
        return changed.clip(0, 1, out=changed)

    def _noise(self, shape: tuple[int, ...]) -> Image:
        return normal(self.noise_seed, shape) * np.float32(self.noise_std)


@dataclass(frozen=True)
class Power:
    """I to the power of `exponent`: darkens or brightens mid-greys, and leaves 0 and 1."""

    exponent: float
    name: Literal["gamma"] = "gamma"

    @property
    def words(self) -> str:
        """What happens, for people."""
        return f"power of {self.exponent:.2f}"

    def apply(self, image: Image) -> Image:
        """The changed slice."""
        return np.power(image, np.float32(self.exponent))


@dataclass(frozen=True)
class Waves:
    """g(I + W): W is N(0, std) on a grid of `cells` x `cells`, enlarged to the slice and rolled."""

    std: float
    cells: int
    seed: int
    name: Literal["coarse"] = "coarse"

    @property
    def words(self) -> str:
        """What happens, for people."""
        return f"coarse noise of std {self.std:.2g}"

    def noise(self, height: int, width: int) -> Image:
        """W of shape (height, width)."""
        coarse = normal(self.seed, (self.cells, self.cells)) * np.float32(self.std)
        down, right = np.random.default_rng(self.seed).integers(0, (height, width))
        return np.roll(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), (down, right), (0, 1))

    def apply(self, image: Image) -> Image:
        """The changed slice."""
        changed = image + self.noise(*image.shape)
        return np.clip(changed, 0, 1, out=changed)


@dataclass(frozen=True)
class Fill:
    """One grey everywhere."""

    value: float
    name: Literal["erase"] = "erase"

    @property
    def words(self) -> str:
        """What happens, for people."""
        return f"filled with {self.value:.2f}"

    def apply(self, image: Image) -> Image:
        """The changed slice."""
        return np.full_like(image, self.value)


@dataclass(frozen=True)
class Smooth:
    """Texture lost: a Gaussian blur with this standard deviation in pixels; beyond the frame lies background."""

    sigma: float
    name: Literal["blur"] = "blur"

    @property
    def words(self) -> str:
        """What happens, for people."""
        return f"blur of {self.sigma:.1f} pixels"

    def apply(self, image: Image) -> Image:
        """The changed slice."""
        size = 2 * int(np.ceil(3 * self.sigma)) + 1
        blurred = cv2.GaussianBlur(image, (size, size), self.sigma, borderType=cv2.BORDER_CONSTANT)
        return np.clip(np.asarray(blurred, np.float32), 0, 1)


@dataclass(frozen=True)
class Pull:
    """Tissue pushed away from a point (amount > 0, a source) or drawn to it (a sink), within `radius` pixels."""

    row: float
    column: float
    radius: float
    amount: float
    name: Literal["warp"] = "warp"

    @property
    def words(self) -> str:
        """What happens, for people."""
        return f"{'source' if self.amount > 0 else 'sink'} of {abs(self.amount):.2f} within {self.radius:.0f} pixels"

    def apply(self, image: Image) -> Image:
        """The changed slice: each pixel shows what lay nearer to the point, or farther from it."""
        rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
        down, right = rows - self.row, columns - self.column
        near = np.clip(1 - (down**2 + right**2) / self.radius**2, 0, None) ** 2 * self.amount
        # OpenCV's remap would round positions to 1/32 of a pixel.
        found = ndimage.map_coordinates(image, [rows - down * near, columns - right * near], order=1, mode="nearest")
        return np.asarray(found, np.float32)


@dataclass(frozen=True)
class Mixed:
    """(1 - factor) * I + factor * D, with D the slice of the donor; row and subject say who that is."""

    factor: float
    row: int
    subject: str
    donor: Image = field(repr=False, compare=False)
    name: Literal["foreign"] = "foreign"

    @property
    def words(self) -> str:
        """What happens, for people."""
        return f"{self.factor:.0%} of {self.subject}"

    def apply(self, image: Image) -> Image:
        """The changed slice."""
        return np.clip(image + np.float32(self.factor) * (self.donor - image), 0, 1)


@dataclass(frozen=True)
class Seamless:
    """The donor's tissue blended into the mask by its gradients (`core.synthesis.poisson`)."""

    factor: float
    row: int
    subject: str
    donor: Image = field(repr=False, compare=False)
    name: Literal["poisson"] = "poisson"

    @property
    def words(self) -> str:
        """What happens, for people."""
        return f"gradients of {self.subject} at {self.factor:.0%}"

    def apply(self, image: Image) -> Image:
        """The slice with the donor blended into the whole frame."""
        return self.within(image, np.ones(image.shape, np.uint8))

    def within(self, image: Image, mask: NDArray[np.uint8]) -> Image:
        """The slice with the donor blended into the mask."""
        return np.clip(blend(image, self.donor, mask, self.factor), 0, 1)


@dataclass(frozen=True)
class Moved:
    """The slice times `gain`, rolled by these shares of its height and width; what leaves the frame comes back."""

    down: float
    right: float
    gain: float
    name: Literal["cutpaste"] = "cutpaste"

    @property
    def words(self) -> str:
        """What happens, for people."""
        return f"pasted from elsewhere at {self.gain:.0%} brightness"

    def pixels(self, height: int, width: int) -> tuple[int, int]:
        """How far down and right, in pixels."""
        return round(self.down * height), round(self.right * width)

    def apply(self, image: Image) -> Image:
        """The changed slice."""
        rolled = np.roll(image, self.pixels(*image.shape), (0, 1))
        return np.asarray(np.clip(rolled * np.float32(self.gain), 0, 1), np.float32)


Change = Affine | Power | Waves | Fill | Smooth | Pull | Mixed | Seamless | Moved


def inside(change: Change, image: Image, patch: Patch) -> Image:
    """What that part of the slice becomes inside this mask; Poisson blending alone depends on where that ends."""
    match change:
        case Affine():
            return change.within(image, patch.window)
        case Seamless():
            return change.within(image, patch.full(*image.shape))[patch.window]
        case _:
            return change.apply(image)[patch.window]


def strength(change: Change) -> float:
    """The interpolation factor, the soft label of FPI and PII; 1 for a change that is no interpolation."""
    return change.factor if isinstance(change, Mixed | Seamless) else 1.0
