"""Equation 2 and the labels: a decided change, blended into its part of a slice."""

from math import ceil
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from core.synthesis.changes import Change, inside, strength
from core.synthesis.patches import Patch, Window

# NSA's logistic for X-rays: steepness 1/2 and middle 4, in grey levels of 255.
SATURATION = (255 / 2, 4 / 255)
Label = Literal["mask", "changed", "soft", "saturating"]


class Drawn(NamedTuple):
    """A slice with a pseudo-outlier: image (H, W) float32 in [0, 1] and label (H, W) float32 in [0, 1]."""

    image: NDArray[np.float32]
    label: NDArray[np.float32]


class Blended(NamedTuple):
    """Part of a slice with a pseudo-outlier, and the largest change of a pixel.

    where: the pixels of `image` that take the place of the slice's, None for all.
    """

    window: Window
    image: NDArray[np.float32]
    where: NDArray[np.uint8] | None
    label: NDArray[np.float32]
    largest: float

    def onto(self, drawn: Drawn) -> None:
        """Write image and label where they belong; labels merge by maximum."""
        image, label = drawn.image[self.window], drawn.label[self.window]
        if self.where is None:
            image[:] = self.image
        else:
            cv2.copyTo(self.image, self.where, image)
        np.maximum(label, self.label, out=label)


class Blending(NamedTuple):
    """How changes are blended and labelled; see `core.synthesis.Synthesis`."""

    label: Label
    epsilon: float

    def blend(self, change: Change, edge: float, patch: Patch, image: NDArray[np.float32]) -> Blended:
        """The slice (H, W) within the patch's window; beyond it nothing changes."""
        before, changed = image[patch.window], inside(change, image, patch)
        mask = patch.mask.astype(np.float32)
        if edge == 0 and self.label == "mask":
            largest = cv2.norm(changed, before, cv2.NORM_INF, patch.mask)
            return Blended(patch.window, changed, patch.mask, mask, largest)
        soft = soften(mask, edge)
        after = before + soft * (changed - before)
        # The sum of two roundings may leave [0, 1] by one unit in the last place.
        after.clip(0, 1, out=after)
        difference = np.abs(after - before)
        label = mask if self.label == "mask" else self._label(soft, difference, change)
        return Blended(patch.window, after, None, label, float(difference.max()))

    def shows(self, blended: Blended) -> bool:
        """The epsilon rule. The paper's supremum over the image is that over the mask: nothing changes elsewhere."""
        return blended.largest >= self.epsilon and (self.label == "mask" or bool(blended.label.any()))

    def _label(self, soft: NDArray[np.float32], difference: NDArray[np.float32], change: Change) -> NDArray[np.float32]:
        near = np.asarray(cv2.blur(difference, (5, 5), borderType=cv2.BORDER_CONSTANT), np.float32)
        visible = ((near > self.epsilon / 4) & (soft > 0)).astype(np.float32)
        if self.label == "changed":
            return visible
        return visible * (np.float32(strength(change)) if self.label == "soft" else saturating(near))


def saturating(change: NDArray[np.float32]) -> NDArray[np.float32]:
    """NSA's label of an absolute change of intensity: near 0 for none, near 1 from a few grey levels on."""
    steepness, middle = (np.float32(value) for value in SATURATION)
    return np.asarray(1 / (1 + np.exp(-steepness * (change - middle))), np.float32)


def soften(mask: NDArray[np.float32], edge: float) -> NDArray[np.float32]:
    """Blur a mask (H, W) by a Gaussian of standard deviation `edge` pixels; 0 returns it as it is."""
    if edge <= 0:
        return mask
    size = blur_radius(edge) * 2 + 1
    return np.asarray(cv2.GaussianBlur(mask, (size, size), edge, borderType=cv2.BORDER_CONSTANT), np.float32)


def blur_radius(edge: float) -> int:
    """Pixels on either side that a blur of this standard deviation reaches."""
    return ceil(3 * edge)
