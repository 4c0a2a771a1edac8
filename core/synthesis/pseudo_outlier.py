"""One pseudo-outlier: decided from (seed, epoch, row) and the slice it lies on, then drawn without chance."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Annotated, Any, ClassVar, NamedTuple

import cv2
import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray
from pydantic import Field

from core.strict import STRICT
from core.synthesis.blending import Blending, Drawn, Label, blur_radius
from core.synthesis.changes import Affine, Change
from core.synthesis.donors import Donors
from core.synthesis.masks import UNITS, Brush, Mask, decide_each
from core.synthesis.outlines import Outline, Stroke, patches
from core.synthesis.patches import Patch
from core.synthesis.streams import Streams
from core.synthesis.transforms import Mix, Place, nobody

MAX_TRIES = 20


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
        drawn = Drawn(image.copy(), np.zeros(image.shape, np.float32))
        (outlier,) = self.paste([drawn], Streams(seed, epoch), [row], donors)
        return outlier, drawn

    def paste(
        self, drawn: Sequence[Drawn], streams: Streams, rows: Sequence[int], donors: Donors | None = None
    ) -> list[PseudoOutlier | None]:
        """`pseudo_outlier` of these slices, drawn where they and their labels, 0 so far, lie.

        drawn: of one shape. streams: of the seed and the epoch. A slice does not depend on those beside it.
        """
        numbers = self._numbers(streams, rows)
        layers: list[list[PseudoOutlier]] = [[] for _ in rows]
        for layer in range(max(numbers, default=0)):
            here = [place for place, number in enumerate(numbers) if number > layer]
            slices = _Slices([drawn[place] for place in here], [rows[place] for place in here], streams, donors)
            for place, outlier in zip(here, self._one_each(slices, layer), strict=True):
                layers[place].append(outlier)
        return [_joined(mine) for mine in layers]

    def draw(self, outlier: PseudoOutlier, image: NDArray[np.float32]) -> Drawn:
        """Blend a decided pseudo-outlier, and what lies over it, into a slice (eq. 2) and label it."""
        drawn = Drawn(image.copy(), np.zeros(image.shape, np.float32))
        for layer in outlier.layers:
            patch = layer.outline.patch(*image.shape).widened(blur_radius(layer.edge), *image.shape)
            self._blending.blend(layer.change, layer.edge, patch, drawn.image).onto(drawn)
        return drawn

    @cached_property
    def _blending(self) -> Blending:
        return Blending(self.label, self.epsilon)

    def _numbers(self, streams: Streams, rows: Sequence[int]) -> list[int]:
        """How many pseudo-outliers each slice gets."""
        if self.probability == 1 and self.count == 1:
            return [1] * len(rows)
        drawn = [streams.of(row).random(2).tolist() for row in rows]
        return [1 + int(self.count * number) if share < self.probability else 0 for share, number in drawn]

    def _one_each(self, slices: "_Slices", layer: int) -> list[PseudoOutlier]:
        """A pseudo-outlier that shows on each of these slices; decided side by side, in two thirds of the time."""
        found: dict[int, PseudoOutlier] = {}
        for tries in range(1, MAX_TRIES + 1):
            missing = [place for place in range(len(slices.rows)) if place not in found]
            if not missing:
                break
            # Lane 0 is for the number of pseudo-outliers; each try takes two, and the last ones force them.
            decided = self._decided(slices, missing, 2 * (layer * (MAX_TRIES + 1) + tries), tries)
            for place, outlier, patch in decided:
                part = self._blending.blend(outlier.change, outlier.edge, patch, slices.drawn[place].image)
                if self._blending.shows(part):
                    part.onto(slices.drawn[place])
                    found[place] = outlier
        for place in range(len(slices.rows)):
            if place not in found:
                rng = slices.stream(place, 2 * (layer + 1) * (MAX_TRIES + 1))
                found[place] = self._forced(rng, slices.drawn[place])
        return [found[place] for place in range(len(slices.rows))]

    def _decided(
        self, slices: "_Slices", places: Sequence[int], lane: int, tries: int
    ) -> list[tuple[int, PseudoOutlier, Patch]]:
        """For these places a pseudo-outlier each and its mask, but where that does not lie on tissue."""
        height, width = slices.drawn[0].image.shape
        unit = height / UNITS
        outlines = decide_each(self.mask, (slices.stream(place, lane) for place in places), height, width)
        decided = []
        for place, outline, patch in zip(places, outlines, patches(outlines, height, width), strict=True):
            rng, row = slices.stream(place, lane + 1), slices.rows[place]
            edge = float(rng.uniform(0, self.edge)) * unit if self.edge > 0 else 0.0
            patch = patch.widened(blur_radius(edge), height, width)
            if self._on_tissue(patch, slices.drawn[place].image):
                donor = partial(slices.donors.choose, row=row) if slices.donors is not None else nobody
                change = self.mix.decide(rng, Place(outline, unit, donor, patch.window))
                decided.append((place, PseudoOutlier(outline, change, edge, tries), patch))
        return decided

    def _on_tissue(self, patch: Patch, image: NDArray[np.float32]) -> bool:
        inside = cv2.countNonZero(patch.mask) if patch.mask.size else 0
        if inside == 0 or self.min_foreground == 0:
            return inside > 0
        return bool(np.count_nonzero(image[patch.window] * patch.mask) >= self.min_foreground * inside)

    def _forced(self, rng: np.random.Generator, drawn: Drawn) -> PseudoOutlier:
        """A disc on tissue, shifted toward mid-grey by more than epsilon, drawn: visible on any slice."""
        image = drawn.image
        rows, columns = np.nonzero(image) if image.any() else np.nonzero(np.ones_like(image))
        at = int(rng.integers(rows.size))
        disc = Stroke(np.array([[rows[at], columns[at]]], np.float64), 16 * image.shape[0] / UNITS)
        middle = float(image[rows[at], columns[at]])
        amount = max(2 * self.epsilon, abs(float(rng.normal())))
        change = Affine("shift", offset=amount if middle < 0.5 else -amount)
        self._blending.blend(change, 0.0, disc.patch(*image.shape), image).onto(drawn)
        return PseudoOutlier(disc, change, tries=MAX_TRIES, forced=True)


class _Slices(NamedTuple):
    """Slices that get a pseudo-outlier, their rows in the table, and where its random numbers come from."""

    drawn: Sequence[Drawn]
    rows: Sequence[int]
    streams: Streams
    donors: Donors | None

    def stream(self, place: int, lane: int) -> np.random.Generator:
        """The generator of one of them."""
        return self.streams.of(self.rows[place], lane)


def _joined(layers: Sequence[PseudoOutlier]) -> PseudoOutlier | None:
    """All of a slice as one record."""
    if len(layers) > 1:
        return replace(layers[0], more=tuple(layers[1:]))
    return layers[0] if layers else None
