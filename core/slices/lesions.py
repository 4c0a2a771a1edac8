"""Lesions for test phantoms: three-dimensional, soft-edged, and made by none of the means of `core.synthesis`.

Training draws flat strokes and shifts what lies under them. Here ellipsoids in randomly bent space replace, blur or
displace tissue, before the scanner's bias and noise; so a detector cannot know them by their maker.

Every family takes a healthy subject and a generator and returns the T2 signal with the lesion, float32 (X, Y, Z), and
the lesion's mask, bool (X, Y, Z), never empty: where the lesion has at least half of the voxel, inside the brain.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from core.slices.anatomy import Anatomy, Mask, Volume, smooth_field

Lesion = tuple[Volume, Mask]


@dataclass(frozen=True, eq=False)
class _Ellipsoid:
    """centre: voxel. radius_mm: mean of the half axes. shape: (3, 3), mm to multiples of the half axes / radius_mm."""

    centre: tuple[int, int, int]
    radius_mm: float
    shape: NDArray[np.float64]

    def depth_mm(self, space: Volume) -> Volume:
        """About the distance from the surface, positive inside; `space` (3, X, Y, Z) holds positions in mm."""
        away = space - space[(slice(None), *self.centre)][:, None, None, None]
        distance: Volume = np.sqrt(np.square(np.einsum("ij,jxyz->ixyz", self.shape.astype(np.float32), away)).sum(0))
        return np.float32(self.radius_mm) - distance


def _ellipsoid(centre: tuple[int, int, int], radius_mm: float, rng: np.random.Generator) -> _Ellipsoid:
    axes = np.exp(rng.uniform(-0.25, 0.25, 3))
    turn = Rotation.random(rng=rng).as_matrix()
    return _Ellipsoid(centre, radius_mm, turn.T @ np.diag(np.cbrt(axes.prod()) / axes) @ turn)


def _bent_space(anatomy: Anatomy, scale_mm: float, rng: np.random.Generator) -> Volume:
    """(3, X, Y, Z): positions in mm, displaced by a random field that varies over scale_mm: spheres become lobed."""
    space = np.indices(anatomy.image.shape, np.float32) * np.float32(anatomy.spacing_mm)
    for axis in range(3):
        space[axis] += np.float32(0.25 * scale_mm) * _field(anatomy, scale_mm, rng)
    return space


def _field(anatomy: Anatomy, scale_mm: float, rng: np.random.Generator) -> Volume:
    return smooth_field(anatomy.image.shape, anatomy.spacing_mm, scale_mm, rng)


def _share(depth_mm: Volume, edge_mm: float) -> Volume:
    """The lesion's share of each voxel, 0 to 1: partial volume over edge_mm, one half on the surface."""
    return np.asarray(np.clip(0.5 + depth_mm / np.float32(edge_mm), 0, 1), np.float32)


def _edge_mm(anatomy: Anatomy, rng: np.random.Generator) -> float:
    return float(rng.uniform(1, 2) * anatomy.spacing_mm)


def _choose(allowed: Mask, anatomy: Anatomy, rng: np.random.Generator) -> tuple[int, int, int]:
    """A random voxel of `allowed` at middle height of the brain; anywhere in it when a coarse grid allows none.

    Ingest keeps the middle slices only, as the paper does: a lesion outside would be drawn for nobody.
    """
    levels = np.flatnonzero(anatomy.brain.any((0, 1)))
    low, high = np.quantile(levels, (0.25, 0.75)).astype(int)
    middle = np.zeros_like(allowed)
    middle[:, :, low : high + 1] = allowed[:, :, low : high + 1]
    voxels = np.flatnonzero(middle if middle.any() else anatomy.brain)
    x, y, z = np.unravel_index(int(voxels[rng.integers(len(voxels))]), allowed.shape)
    return int(x), int(y), int(z)


def _inland_mm(anatomy: Anatomy) -> Volume:
    """The distance of each voxel to the brain's surface, 0 outside."""
    return np.asarray(ndimage.distance_transform_edt(anatomy.brain, sampling=anatomy.spacing_mm), np.float32)


def _mix(image: Volume, level: Volume | float, share: Volume) -> Volume:
    return np.asarray(image + share * (level - image), np.float32)


def _between(low: float, high: float, fraction: float) -> float:
    return low + fraction * (high - low)


def bright(anatomy: Anatomy, rng: np.random.Generator) -> Lesion:
    """A tumour: core like fluid, darker rim, oedema that spreads along white matter. The mask is all three."""
    grey, white, fluid = anatomy.signal
    radius = rng.uniform(12, 22)
    centre = _choose(_inland_mm(anatomy) > 0.8 * radius, anatomy, rng)
    edge = _edge_mm(anatomy, rng)
    mass = _ellipsoid(centre, radius, rng).depth_mm(_bent_space(anatomy, 0.9 * radius, rng))
    halo_radius = min(rng.uniform(1.3, 1.9) * radius, 32)
    halo = _ellipsoid(centre, halo_radius, rng).depth_mm(_bent_space(anatomy, 0.7 * halo_radius, rng))
    spread = np.clip(0.25 + 1.2 * ndimage.gaussian_filter(anatomy.white, 1.0), 0, 1)
    oedema = _share(halo, 2 * edge) * spread
    uneven = 1 + 0.1 * _field(anatomy, 7, rng)
    image = _mix(anatomy.image, _between(grey, fluid, rng.uniform(0.2, 0.8)) * uneven, oedema)
    image = _mix(image, _between(white, fluid, rng.uniform(0.2, 0.7)) * uneven, _share(mass, edge))
    rim = rng.uniform(0.2, 0.5) * radius
    image = _mix(image, _between(grey, fluid, rng.uniform(0.3, 1.1)) * uneven, _share(mass - rim, 2 * edge))
    return image, anatomy.brain & (np.maximum(oedema, _share(mass, edge)) >= 0.5)


def dark(anatomy: Anatomy, rng: np.random.Generator) -> Lesion:
    """A mass darker than white matter, as of old blood or calcium."""
    radius = rng.uniform(10, 22)
    centre = _choose(_inland_mm(anatomy) > 0.8 * radius, anatomy, rng)
    mass = _ellipsoid(centre, radius, rng).depth_mm(_bent_space(anatomy, 0.8 * radius, rng))
    share = _share(mass, _edge_mm(anatomy, rng))
    level = anatomy.signal[1] * rng.uniform(0.45, 0.92) * (1 + 0.1 * _field(anatomy, 6, rng))
    return _mix(anatomy.image, level, share), anatomy.brain & (share >= 0.5)


def foci(anatomy: Anatomy, rng: np.random.Generator) -> Lesion:
    """12 to 30 bright spots of 3 to 5 mm radius in white matter, as in multiple sclerosis."""
    _, white, fluid = anatomy.signal
    allowed = (anatomy.white > 0.7) & (_inland_mm(anatomy) > 6)
    space = _bent_space(anatomy, 5, rng)
    image, mask = anatomy.image, np.zeros_like(anatomy.brain)
    for _ in range(rng.integers(12, 31)):
        spot = _ellipsoid(_choose(allowed, anatomy, rng), rng.uniform(3, 5), rng).depth_mm(space)
        share = _share(spot, _edge_mm(anatomy, rng))
        image = _mix(image, _between(white, fluid, rng.uniform(0.4, 1.0)), share)
        mask |= share >= 0.5
    return image, anatomy.brain & mask


def swelling(anatomy: Anatomy, rng: np.random.Generator) -> Lesion:
    """Tissue of nearly its own signal that grows and pushes its surroundings away. The mask is the grown part.

    At r reaches from the centre, the image is taken from r (1 - g (1 - r^2)^2) reaches. This rises with r for g < 1, so
    tissue never folds; it is magnified by 1 / (1 - g) at the centre and stays in place at r = 1.
    """
    reach = rng.uniform(24, 36)
    centre = _choose(_inland_mm(anatomy) > 0.6 * reach, anatomy, rng)
    depth = _ellipsoid(centre, reach, rng).depth_mm(_bent_space(anatomy, 0.8 * reach, rng))
    r = np.clip(1 - depth / np.float32(reach), 0, 1)
    pull = rng.uniform(0.5, 0.75) * np.square(1 - np.square(r))
    grid = np.indices(anatomy.image.shape, np.float32)
    grid -= pull * (grid - np.array(centre, np.float32)[:, None, None, None])
    image = ndimage.map_coordinates(anatomy.image, grid, np.float32, order=1)
    core = _share((0.6 - r) * np.float32(reach), 2 * _edge_mm(anatomy, rng))
    return image * (1 + rng.uniform(0.03, 0.15) * core), anatomy.brain & (core >= 0.5)


def cortex(anatomy: Anatomy, rng: np.random.Generator) -> Lesion:
    """A patch of cortex that is lost to fluid (atrophy), or thick and without a border to white matter (dysplasia)."""
    grey, _, fluid = anatomy.signal
    radius = rng.uniform(12, 24)
    inland = _inland_mm(anatomy)
    centre = _choose((anatomy.grey > 0.6) & (inland > 3) & (inland < 12), anatomy, rng)
    patch = _ellipsoid(centre, radius, rng).depth_mm(_bent_space(anatomy, 0.8 * radius, rng))
    share = _share(patch, _edge_mm(anatomy, rng))
    if rng.random() < 0.5:
        share = share * np.clip(1.5 * (anatomy.grey + anatomy.fluid), 0, 1)
        image = _mix(anatomy.image, _between(grey, fluid, rng.uniform(0.4, 1.0)), share)
    else:
        blurred = ndimage.gaussian_filter(anatomy.image, 3 / anatomy.spacing_mm)
        image = _mix(anatomy.image, 0.4 * blurred + 0.6 * grey * rng.uniform(0.95, 1.15), share)
    mask = anatomy.brain & (share >= 0.5)
    mask[centre] = True  # on a coarse grid the patch may be thinner than half a voxel
    return image, mask


FAMILIES: dict[str, Callable[[Anatomy, np.random.Generator], Lesion]] = {
    "bright": bright,
    "dark": dark,
    "foci": foci,
    "swelling": swelling,
    "cortex": cortex,
}
