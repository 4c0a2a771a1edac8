"""One pseudo-outlier: decided from (seed, epoch, row) and the slice it lies on, then drawn without chance."""

from dataclasses import dataclass, field, replace
from math import ceil
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import cv2
import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray
from pydantic import Field

from core.synthesis.changes import Affine, Change
from core.synthesis.masks import UNITS, Brush, Mask
from core.synthesis.outlines import Outline, Stroke
from core.synthesis.transforms import Mix, Place

MAX_TRIES = 20


@dataclass(frozen=True)
class PseudoOutlier:
    """Every random quantity of one pseudo-outlier. Drawing it twice gives the same pixels.

    edge: standard deviation in pixels of the blur that softens the mask's border, 0 for the paper's hard border.
    tries: how often mask and transform were drawn until the epsilon rule was met.
    forced: no try met it, so a visible shift was taken.
    """

    outline: Outline
    change: Change
    edge: float = 0.0
    tries: int = 1
    forced: bool = False


class Drawn(NamedTuple):
    """A slice with a pseudo-outlier: image (H, W) float32 in [0, 1] and label (H, W) uint8, 0 or 1."""

    image: NDArray[np.float32]
    label: NDArray[np.uint8]


@dataclass(frozen=True)
class Synthesis:
    """How a healthy slice becomes a training pair (section II.A). The defaults are the paper's.

    probability: share of slices that get a pseudo-outlier; the paper perturbs every slice.
    epsilon: a pseudo-outlier whose largest change inside the mask is below this is redrawn whole.
    edge: upper bound of the border's blur, in 1/128 of a side; each pseudo-outlier draws from U(0, edge).
    min_foreground: least share of the mask that must lie on tissue (image > 0).
    label: `mask` labels the whole mask (the paper); `changed` labels only where the slice changed visibly, that is
        where the mean change over 5x5 pixels exceeds epsilon / 4 (FPI, PII and NSA zero such pixels too).
    """

    mask: Annotated[Mask, Field(discriminator="kind")] = field(default_factory=Brush)
    mix: Mix = field(default_factory=Mix)
    probability: Annotated[float, Gt(0), Le(1)] = 1.0
    epsilon: Annotated[float, Gt(0), Le(0.5)] = 0.05
    edge: Annotated[float, Ge(0), Le(8)] = 0.0
    min_foreground: Annotated[float, Ge(0), Le(1)] = 0.0
    label: Literal["mask", "changed"] = "mask"

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    def pseudo_outlier(
        self, image: NDArray[np.float32], seed: int, epoch: int, row: int
    ) -> tuple[PseudoOutlier | None, Drawn]:
        """Decide and draw the pseudo-outlier of one slice; None and an empty label if the slice stays healthy.

        image: (H, W) float32 in [0, 1]. The result depends on nothing but the arguments.
        """
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch, row])))
        if rng.random() >= self.probability:
            return None, Drawn(image, np.zeros(image.shape, np.uint8))
        for tries in range(1, MAX_TRIES + 1):
            outlier = self._candidate(rng, image.shape, tries)
            hard = outlier.outline.draw(*image.shape)
            if not self._on_tissue(hard, image):
                continue
            drawn = self._blend(outlier, hard, image)
            # The paper takes the supremum over the image; over the mask is the same: nothing changes elsewhere.
            if drawn.label.any() and np.abs(drawn.image - image).max() >= self.epsilon:
                return outlier, drawn
        outlier = self._forced(rng, image)
        return outlier, self.draw(outlier, image)

    def draw(self, outlier: PseudoOutlier, image: NDArray[np.float32]) -> Drawn:
        """Blend a decided pseudo-outlier into a slice (eq. 2) and label it."""
        return self._blend(outlier, outlier.outline.draw(*image.shape), image)

    def _blend(self, outlier: PseudoOutlier, hard: NDArray[np.uint8], image: NDArray[np.float32]) -> Drawn:
        soft = soften(hard, outlier.edge)
        # The sum of two roundings may leave [0, 1] by one unit in the last place.
        blended = np.clip(image + soft * (outlier.change.apply(image) - image), 0, 1)
        if self.label == "mask":
            return Drawn(blended, hard)
        visible = cv2.blur(np.abs(blended - image), (5, 5), borderType=cv2.BORDER_CONSTANT) > self.epsilon / 4
        return Drawn(blended, (visible & (soft > 0)).astype(np.uint8))

    def _candidate(self, rng: np.random.Generator, shape: tuple[int, ...], tries: int) -> PseudoOutlier:
        outline = self.mask.decide(rng, shape[0], shape[1])
        row, column = outline.centre
        change = self.mix.decide(rng, Place(row, column, shape[0] / UNITS))
        edge = float(rng.uniform(0, self.edge)) * shape[0] / UNITS
        return PseudoOutlier(outline, change, edge, tries)

    def _on_tissue(self, hard: NDArray[np.uint8], image: NDArray[np.float32]) -> bool:
        inside = np.count_nonzero(hard)
        return bool(inside > 0 and np.count_nonzero(image[hard > 0]) >= self.min_foreground * inside)

    def _forced(self, rng: np.random.Generator, image: NDArray[np.float32]) -> PseudoOutlier:
        """A disc on tissue, shifted toward mid-grey by more than epsilon: visible on any slice."""
        rows, columns = np.nonzero(image) if image.any() else np.nonzero(np.ones_like(image))
        at = int(rng.integers(rows.size))
        disc = Stroke(np.array([[rows[at], columns[at]]], np.float64), 16 * image.shape[0] / UNITS)
        middle = float(image[rows[at], columns[at]])
        amount = max(2 * self.epsilon, abs(float(rng.normal())))
        change = Affine("shift", offset=amount if middle < 0.5 else -amount)
        return replace(PseudoOutlier(disc, change), tries=MAX_TRIES, forced=True)


def soften(mask: NDArray[np.uint8], edge: float) -> NDArray[np.float32]:
    """Blur a mask (H, W) by a Gaussian of standard deviation `edge` pixels; 0 returns it as it is."""
    soft = mask.astype(np.float32)
    if edge <= 0:
        return soft
    size = blur_radius(edge) * 2 + 1
    return np.asarray(cv2.GaussianBlur(soft, (size, size), edge, borderType=cv2.BORDER_CONSTANT), np.float32)


def blur_radius(edge: float) -> int:
    """Pixels on either side that a blur of this standard deviation reaches."""
    return ceil(3 * edge)
