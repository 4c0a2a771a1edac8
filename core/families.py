"""The families of the probe: how each alters a slice, and which of them a study is judged by.

They are drawn by code of their own with constants of their own, so no setting of a trial can move its objective. A
study is judged by those that resemble nothing that its trials may train on; to do well on them, a detector must have
learned what healthy tissue looks like. (Select on other synthetic tasks than those trained on: Baugh et al.,
many-tasks; that synthetic sets predict the ranking on real ones: Zimmerer et al., MOOD 2020.)
"""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInput
from core.slices.table import SliceTable
from core.synthesis.masks import UNITS, Brush, Circle, Square

Image = NDArray[np.floating[Any]]
PAPER = ("noise", "shift", "scale")
"""The paper's transforms, which every study may use."""


class Family(NamedTuple):
    """How one family alters a slice: (slice, slice of another subject, region, generator) to the altered slice.

    like: transforms of `core.synthesis` that make something alike; a study that may use one does not count the family.
    """

    region: Callable[[np.random.Generator, int], Image]
    alter: Callable[[Image, Image, Image, np.random.Generator], Image]
    like: tuple[str, ...]

    @property
    def held_out(self) -> bool:
        """Whether no trial of the paper's own transforms trains on anything like it."""
        return not set(self.like) & set(PAPER)


def _trainable(mask: Brush | Circle | Square) -> Callable[[np.random.Generator, int], Image]:
    return lambda rng, side: mask.decide(rng, side, side).draw(side, side).astype(np.float32)


def _blob(rng: np.random.Generator, side: int) -> Image:
    """A lobed region: a Gaussian bump times smooth noise, cut at half its maximum, with an edge of about a pixel."""
    radius = rng.uniform(9, 22) * side / UNITS
    return _lobed(rng, side, rng.uniform(0, side, 2), radius)


def _ellipse(rng: np.random.Generator, side: int) -> Image:
    mask = np.zeros((side, side), np.float32)
    centre, axes = rng.uniform(0, side, 2), rng.uniform(9, 24, 2) * side / UNITS
    cv2.ellipse(mask, (centre.tolist(), (2 * axes).tolist(), float(rng.uniform(0, 180))), 1.0, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), side / UNITS), np.float32)


def _foci(rng: np.random.Generator, side: int) -> Image:
    """Three to eight small lobed regions within a third of the frame."""
    centre = rng.uniform(0, side, 2)
    spots = [
        _lobed(rng, side, centre + rng.uniform(-side / 6, side / 6, 2), rng.uniform(3.5, 7) * side / UNITS)
        for _ in range(int(rng.integers(3, 9)))
    ]
    return np.asarray(np.maximum.reduce(spots))


def _lobed(rng: np.random.Generator, side: int, centre: NDArray[np.float64], radius: float) -> Image:
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    bump = np.exp(-((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2) / (2 * radius**2))
    lobes = cv2.GaussianBlur(rng.standard_normal((side, side), np.float32), (0, 0), max(radius / 2, 1.0))
    height = bump * (1 + 0.5 * lobes / lobes.std())
    # A sigmoid across the level set. The bump falls by about 0.6 / radius per pixel there, so the edge is a pixel wide.
    region = 1 / (1 + np.exp(-(height - 0.5) * max(7 * radius, 10)))
    return np.where(region > 0.05, region, 0).astype(np.float32)


def _shift(image: Image, _other: Image, region: Image, rng: np.random.Generator) -> Image:
    return image + region * np.float32(rng.choice([-1, 1]) * rng.uniform(0.15, 0.5))


def _scale(image: Image, _other: Image, region: Image, rng: np.random.Generator) -> Image:
    return image * (1 + region * np.float32(rng.choice([rng.uniform(-0.6, -0.25), rng.uniform(0.25, 0.8)])))


def _noise(image: Image, _other: Image, region: Image, rng: np.random.Generator) -> Image:
    return image + region * rng.normal(0, rng.uniform(0.15, 0.4), image.shape).astype(np.float32)


def _glow(image: Image, _other: Image, region: Image, rng: np.random.Generator) -> Image:
    """Tissue drawn toward a grey of its own, keeping a part of its texture, as masses and oedema do."""
    towards = np.float32(rng.choice([rng.uniform(0.02, 0.25), rng.uniform(0.75, 1.0)]))
    return image + region * np.float32(rng.uniform(0.7, 1.0)) * (towards - image)


def _foreign(image: Image, other: Image, region: Image, rng: np.random.Generator) -> Image:
    """Anatomy of another subject from elsewhere in its slice, interpolated (after Tan et al., FPI)."""
    down, right = rng.integers(image.shape[0] // 8, image.shape[0] // 3, 2) * rng.choice([-1, 1], 2)
    return image + region * np.float32(rng.uniform(0.6, 1.0)) * (np.roll(other, (down, right), (0, 1)) - image)


def _smear(image: Image, _other: Image, region: Image, rng: np.random.Generator) -> Image:
    """Texture lost: the region is blurred."""
    blurred = cv2.GaussianBlur(image, (0, 0), rng.uniform(5, 9) * image.shape[0] / UNITS)
    return image + region * (blurred - image)


def _swell(image: Image, _other: Image, region: Image, rng: np.random.Generator) -> Image:
    """Tissue pushed away from, or drawn to, the region's centre (after the source and sink of FPI's test set)."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    weight = region / region.sum()
    down, right = rows - (weight * rows).sum(), columns - (weight * columns).sum()
    pull = cv2.GaussianBlur(region, (0, 0), 2 * image.shape[0] / UNITS) * np.float32(
        rng.choice([rng.uniform(-1.5, -0.8), rng.uniform(0.5, 0.8)])
    )
    return np.asarray(cv2.remap(image, columns - right * pull, rows - down * pull, cv2.INTER_LINEAR))


FAMILIES: dict[str, Family] = {
    "brush-shift": Family(_trainable(Brush()), _shift, ("shift",)),
    "circle-scale": Family(_trainable(Circle()), _scale, ("scale",)),
    "square-noise": Family(_trainable(Square()), _noise, ("noise",)),
    "blob-grey": Family(_blob, _glow, ("erase",)),
    "blob-foreign": Family(_blob, _foreign, ("foreign", "poisson", "cutpaste")),
    "ellipse-blur": Family(_ellipse, _smear, ("blur",)),
    "ellipse-swell": Family(_ellipse, _swell, ("warp",)),
    "foci-grey": Family(_foci, _glow, ("erase",)),
}


def held_out_families(probe: SliceTable, trained: Collection[str] = PAPER) -> list[str]:
    """The families of a probe that resemble none of these transforms.

    Raises BadInput when the table is not a probe, or when no family is left to judge by.
    """
    families = probe.metadata.source.get("families", {}) if probe.metadata.source.get("kind") == "probe" else {}
    if not families:
        raise BadInput(f"{probe.path}: not a probe; make one with python -m core.probe --train TABLE")
    held_out = [name for name, facts in families.items() if facts["held_out"]]
    left = [name for name in held_out if name not in FAMILIES or not set(FAMILIES[name].like) & set(trained)]
    if not left:
        raise BadInput(f"{probe.path}: each of its families is like one of the transforms {', '.join(sorted(trained))}")
    return left
