"""One pseudo-outlier: decided from (seed, epoch, row) and the slice it lies on, then drawn without chance."""

from dataclasses import dataclass, field, replace
from math import ceil
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import cv2
import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray
from pydantic import Field

from core.strict import STRICT
from core.synthesis.changes import Affine, Change, Window, inside, strength
from core.synthesis.donors import Donors
from core.synthesis.masks import UNITS, Brush, Mask
from core.synthesis.outlines import Outline, Stroke
from core.synthesis.transforms import Mix, Place

MAX_TRIES = 20
# NSA's logistic for X-rays: steepness 1/2 and middle 4, in grey levels of 255.
SATURATION = (255 / 2, 4 / 255)
Label = Literal["mask", "changed", "soft", "saturating"]


@dataclass(frozen=True)
class PseudoOutlier:
    """Every random quantity of one pseudo-outlier. Drawing it twice gives the same pixels.

    edge: standard deviation in pixels of the blur that softens the mask's border, 0 for the paper's hard border.
    tries: how often mask and transform were drawn until the epsilon rule was met.
    forced: no try met it, so a visible shift was taken.
    more: pseudo-outliers that are drawn over this one, in order.
    """

    outline: Outline
    change: Change
    edge: float = 0.0
    tries: int = 1
    forced: bool = False
    more: tuple["PseudoOutlier", ...] = ()

    @property
    def layers(self) -> tuple["PseudoOutlier", ...]:
        """All pseudo-outliers of the slice, in the order in which they are drawn."""
        return self, *self.more


class Drawn(NamedTuple):
    """A slice with a pseudo-outlier: image (H, W) float32 in [0, 1] and label (H, W) float32 in [0, 1]."""

    image: NDArray[np.float32]
    label: NDArray[np.float32]


@dataclass(frozen=True)
class Synthesis:
    """How a healthy slice becomes a training pair (section II.A). The defaults are the paper's.

    probability: share of slices that get a pseudo-outlier; the paper perturbs every slice.
    epsilon: a pseudo-outlier whose largest change inside the mask is below this is redrawn whole.
    edge: upper bound of the border's blur, in 1/128 of a side; each pseudo-outlier draws from U(0, edge).
    min_foreground: least share of the mask that must lie on tissue (image > 0).
    label: `mask` labels the whole mask (the paper); `changed` labels only where the slice changed visibly, that is
        where the mean change over 5x5 pixels exceeds epsilon / 4 (FPI, PII and NSA zero such pixels too); `soft` gives
        those pixels the interpolation factor instead of 1 (FPI, PII), `saturating` a logistic of that mean change (NSA,
        which takes medians).
    count: most pseudo-outliers on one slice; their number is uniform from 1, and their labels merge by maximum.
    """

    mask: Annotated[Mask, Field(discriminator="kind")] = field(default_factory=Brush)
    mix: Mix = field(default_factory=Mix)
    probability: Annotated[float, Gt(0), Le(1)] = 1.0
    epsilon: Annotated[float, Gt(0), Le(0.5)] = 0.05
    edge: Annotated[float, Ge(0), Le(8)] = 0.0
    min_foreground: Annotated[float, Ge(0), Le(1)] = 0.0
    label: Label = "mask"
    count: Annotated[int, Ge(1), Le(8)] = 1

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def pseudo_outlier(
        self, image: NDArray[np.float32], seed: int, epoch: int, row: int, donors: Donors | None = None
    ) -> tuple[PseudoOutlier | None, Drawn]:
        """Decide and draw the pseudo-outlier of one slice; None and an empty label if the slice stays healthy.

        image: (H, W) float32 in [0, 1]. donors: who may lend tissue; `row` is the slice's in the donors' table. The
        result depends on nothing but the arguments. Raises ValueError when the mix borrows and there are no donors.
        """
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch, row])))
        if rng.random() >= self.probability:
            return None, Drawn(image, np.zeros(image.shape, np.float32))
        number = 1 if self.count == 1 else int(rng.integers(1, self.count + 1))
        first, (now, label) = self._one(rng, image, row, donors)
        more = []
        for _ in range(number - 1):
            outlier, drawn = self._one(rng, now, row, donors)
            more.append(outlier)
            now, label = drawn.image, np.maximum(label, drawn.label)
        return replace(first, more=tuple(more)) if more else first, Drawn(now, label)

    def draw(self, outlier: PseudoOutlier, image: NDArray[np.float32]) -> Drawn:
        """Blend a decided pseudo-outlier, and what lies over it, into a slice (eq. 2) and label it."""
        label = np.zeros(image.shape, np.float32)
        for layer in outlier.layers:
            hard = layer.outline.draw(*image.shape)
            drawn, _ = self._blend(layer, hard, image, _around(hard, blur_radius(layer.edge)))
            image, label = drawn.image, np.maximum(label, drawn.label)
        return Drawn(image, label)

    def _one(
        self, rng: np.random.Generator, image: NDArray[np.float32], row: int, donors: Donors | None
    ) -> tuple[PseudoOutlier, Drawn]:
        for tries in range(1, MAX_TRIES + 1):
            outlier = self._candidate(rng, image.shape, tries, row, donors)
            hard = outlier.outline.draw(*image.shape)
            window = _around(hard, blur_radius(outlier.edge))
            if not self._on_tissue(hard[window], image[window]):
                continue
            drawn, largest = self._blend(outlier, hard, image, window)
            # The paper takes the supremum over the image; over the mask is the same: nothing changes elsewhere.
            if largest >= self.epsilon and (self.label == "mask" or drawn.label.any()):
                return outlier, drawn
        outlier = self._forced(rng, image)
        return outlier, self.draw(outlier, image)

    def _blend(
        self, outlier: PseudoOutlier, hard: NDArray[np.uint8], image: NDArray[np.float32], window: Window
    ) -> tuple[Drawn, float]:
        """The slice with this pseudo-outlier, and its largest change; outside the window there is none."""
        before, soft = image[window], soften(hard[window], outlier.edge)
        after = before + soft * (inside(outlier.change, image, hard, window) - before)
        # The sum of two roundings may leave [0, 1] by one unit in the last place.
        after.clip(0, 1, out=after)
        change = np.abs(after - before)
        blended, label = image.copy(), np.zeros(image.shape, np.float32)
        blended[window] = after
        label[window] = self._label(hard[window], soft, change, strength(outlier.change))
        return Drawn(blended, label), float(change.max(initial=0.0))

    def _label(
        self, hard: NDArray[np.uint8], soft: NDArray[np.float32], change: NDArray[np.float32], factor: float
    ) -> NDArray[np.float32]:
        if self.label == "mask":
            return hard.astype(np.float32)
        near = np.asarray(cv2.blur(change, (5, 5), borderType=cv2.BORDER_CONSTANT), np.float32)
        visible = ((near > self.epsilon / 4) & (soft > 0)).astype(np.float32)
        if self.label == "changed":
            return visible
        return visible * (np.float32(factor) if self.label == "soft" else saturating(near))

    def _candidate(
        self, rng: np.random.Generator, shape: tuple[int, ...], tries: int, slice_row: int, donors: Donors | None
    ) -> PseudoOutlier:
        outline = self.mask.decide(rng, shape[0], shape[1])
        row, column = outline.centre
        place = Place(row, column, shape[0] / UNITS)
        if donors is not None:
            place = place._replace(donor=lambda generator: donors.choose(generator, slice_row))
        change = self.mix.decide(rng, place)
        edge = float(rng.uniform(0, self.edge)) * shape[0] / UNITS
        return PseudoOutlier(outline, change, edge, tries)

    def _on_tissue(self, hard: NDArray[np.uint8], image: NDArray[np.float32]) -> bool:
        inside = cv2.countNonZero(hard)
        if inside == 0 or self.min_foreground == 0:
            return inside > 0
        return bool(np.count_nonzero(image * hard) >= self.min_foreground * inside)

    def _forced(self, rng: np.random.Generator, image: NDArray[np.float32]) -> PseudoOutlier:
        """A disc on tissue, shifted toward mid-grey by more than epsilon: visible on any slice."""
        rows, columns = np.nonzero(image) if image.any() else np.nonzero(np.ones_like(image))
        at = int(rng.integers(rows.size))
        disc = Stroke(np.array([[rows[at], columns[at]]], np.float64), 16 * image.shape[0] / UNITS)
        middle = float(image[rows[at], columns[at]])
        amount = max(2 * self.epsilon, abs(float(rng.normal())))
        change = Affine("shift", offset=amount if middle < 0.5 else -amount)
        return replace(PseudoOutlier(disc, change), tries=MAX_TRIES, forced=True)


def _around(mask: NDArray[np.uint8], reach: int) -> Window:
    """A window that holds a mask and `reach` pixels around it.

    When it is to be blurred, its columns begin and end at multiples of 16: OpenCV then computes the same pixels by
    vector instructions as in the whole slice, and rounds them alike.
    """
    left, top, width, height = cv2.boundingRect(mask)
    right, left = left + width + reach, left - reach
    if reach > 0:
        right, left = right + -right % 16, left - left % 16
    rows = slice(max(top - reach, 0), min(top + height + reach, mask.shape[0]))
    return rows, slice(max(left, 0), min(right, mask.shape[1]))


def saturating(change: NDArray[np.float32]) -> NDArray[np.float32]:
    """NSA's label of an absolute change of intensity: near 0 for none, near 1 from a few grey levels on."""
    steepness, middle = (np.float32(value) for value in SATURATION)
    return np.asarray(1 / (1 + np.exp(-steepness * (change - middle))), np.float32)


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
