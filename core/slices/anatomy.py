"""One healthy T2-like brain: the MNI152 tissue maps that nilearn ships, deformed, made T2 and scanned.

Arrays are float32 of shape (X, Y, Z) on an isotropic grid in RAS+ order. Before `acquire`, intensities are relative to
the T2 signal of fluid, which is about 1; grey matter is near 0.55 and white matter near 0.38.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.spatial.transform import Rotation

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

_MARGIN_MM = 10.0  # room around the average brain for larger ones
_VENTRICLES_MM = np.array([0.0, -10.0, 12.0])  # midpoint and extent of the lateral ventricles in MNI space
_VENTRICLES_REACH_MM = np.array([22.0, 38.0, 20.0])


@dataclass(frozen=True, eq=False)
class Atlas:
    """Average brain at 1 mm, blurred to the resolution at which it will be sampled.

    grey, white, fluid: tissue fractions in [0, 1]; they add up to `brain`, the fraction of a voxel inside the brain.
    detail: what the T1 template shows beyond its three tissues (nuclei, vessels), in T1 units, mean about 0.
    near: where there is any brain at all.
    origin_mm: MNI coordinates of voxel (0, 0, 0).
    spacing_mm, shape: the grid of the subjects, centred on the brain.
    """

    grey: Volume
    white: Volume
    fluid: Volume
    detail: Volume
    near: Mask
    origin_mm: NDArray[np.float64]
    spacing_mm: float
    shape: tuple[int, int, int]

    @property
    def affine(self) -> NDArray[np.float64]:
        """(4, 4) from voxel indices of a subject to mm, RAS+."""
        extent = np.array(self.grey.shape) - 1.0
        first = self.origin_mm + extent / 2 - (np.array(self.shape) - 1) / 2 * self.spacing_mm
        affine = np.diag([self.spacing_mm] * 3 + [1.0])
        affine[:3, 3] = first
        return affine


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One subject before the scanner adds bias and noise.

    grey, white, fluid: tissue fractions in [0, 1]. brain: the skull-stripped inside. image: T2 signal, 0 outside.
    signal: T2 signal of pure grey matter, white matter and fluid in this subject.
    """

    grey: Volume
    white: Volume
    fluid: Volume
    brain: Mask
    image: Volume
    signal: tuple[float, float, float]
    spacing_mm: float


@lru_cache(maxsize=1)
def load_atlas(spacing_mm: float) -> Atlas:
    """The MNI152 maps from nilearn's wheel (no download), for subjects with voxels of `spacing_mm`."""
    from nilearn import datasets  # imported here: it takes seconds, and a finished set needs no atlas

    template = datasets.load_mni152_template(resolution=1)
    t1 = template.get_fdata(dtype=np.float32)
    grey = datasets.load_mni152_gm_template(resolution=1).get_fdata(dtype=np.float32)
    white = datasets.load_mni152_wm_template(resolution=1).get_fdata(dtype=np.float32)
    inside = ndimage.binary_fill_holes(t1 > 0)
    low = np.maximum(np.argwhere(inside).min(0) - 2, 0)
    high = np.argwhere(inside).max(0) + 3
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    brain = inside[box].astype(np.float32)
    grey, white, t1 = grey[box] * brain, white[box] * brain, t1[box] * brain
    fluid = np.clip(brain - grey - white, 0, 1)
    tissues = np.stack([grey, white, fluid])[:, inside[box]]
    means = np.linalg.lstsq(tissues.T, t1[inside[box]], rcond=None)[0]
    detail = t1 - means[0] * grey - means[1] * white - means[2] * fluid
    # A scanner averages over its voxel: widen the atlas's point spread from 1 mm to spacing_mm (FWHM = 2.355 sigma).
    sigma = np.sqrt(max(spacing_mm**2 - 1, 0)) / 2.355
    grey, white, fluid, detail = (ndimage.gaussian_filter(one, sigma) for one in (grey, white, fluid, detail))
    size = np.ceil((np.array(brain.shape) + 2 * _MARGIN_MM) / spacing_mm).astype(int)
    origin = (template.affine @ np.append(low, 1))[:3]
    near = grey + white + fluid > 0.01
    return Atlas(grey, white, fluid, detail, near, origin, spacing_mm, (int(size[0]), int(size[1]), int(size[2])))


def smooth_field(shape: tuple[int, int, int], spacing_mm: float, scale_mm: float, rng: np.random.Generator) -> Volume:
    """A smooth random field of mean 0 and variance about 1 that varies over `scale_mm`.

    Cubic B-splines over normal coefficients every scale_mm (the free-form deformation of Rueckert et al. 1999). The
    splines are separable, so three small products replace a filter over the volume. They are sparse, with four weights
    a row; it also keeps BLAS, whose threads would contend with ours, out of it.
    """
    bases = [_spline_basis(size, scale_mm / spacing_mm, rng.random()) for size in shape]
    field = rng.standard_normal([basis.shape[1] for basis in bases], np.float32)
    for basis in bases:
        first, *others = field.shape
        filled = (basis @ field.reshape(first, -1)).reshape(-1, *others)
        field = np.moveaxis(filled, 0, -1)  # after three turns the axes are in order again
    return np.ascontiguousarray(field)


def _spline_basis(size: int, knot: float, phase: float) -> sparse.csr_array:
    """(size, coefficients): cubic B-splines `knot` voxels apart, shifted by `phase` knots, each row of unit length."""
    position = np.arange(size) / knot + phase + 1
    distance = np.abs(position[:, None] - np.arange(int(position[-1]) + 3))
    inner = 2 / 3 - distance**2 + distance**3 / 2
    outer = np.maximum(2 - distance, 0) ** 3 / 6
    basis = np.where(distance < 1, inner, outer)
    # Without this the variance would be lower half way between knots.
    basis /= np.linalg.norm(basis, axis=1, keepdims=True)
    return sparse.csr_array(basis.astype(np.float32))


def draw_anatomy(atlas: Atlas, rng: np.random.Generator) -> Anatomy:
    """A healthy subject: its own shape, ventricles, sulci, tissue signals and fine structure."""
    where = _sample_points(atlas, rng)
    # Two voxels of three are far from the brain; interpolating them as well would take most of the time.
    near = ndimage.map_coordinates(atlas.near, where, order=0)
    points = where[:, near]
    grey, white, fluid, detail = np.zeros((4, *atlas.shape), np.float32)
    for sampled, average in ((grey, atlas.grey), (white, atlas.white), (fluid, atlas.fluid), (detail, atlas.detail)):
        sampled[near] = ndimage.map_coordinates(average, points, np.float32, order=1)
    brain = _largest_part(grey + white + fluid >= 0.5)
    # An average of many people is blurred. Raising the fractions to a power sharpens them again; a factor on the fluid,
    # different from region to region, opens or closes sulci.
    power = rng.uniform(1.3, 2.2)
    sulci = np.exp(rng.uniform(-0.9, 0.3) + 0.5 * smooth_field(atlas.shape, atlas.spacing_mm, 30, rng))
    parts = np.stack([grey**power, white**power, sulci * fluid**power])
    parts *= brain / np.maximum(parts.sum(0), 1e-6)
    signal = (rng.uniform(0.50, 0.62), rng.uniform(0.33, 0.43), rng.uniform(0.90, 1.05))
    image = sum(np.float32(level) * part for level, part in zip(signal, parts, strict=True))
    image -= rng.uniform(0.4, 0.8) * detail  # what is bright in T1 is dark in T2
    image *= 1 + 0.03 * smooth_field(atlas.shape, atlas.spacing_mm, 12, rng)
    image *= 1 + 0.025 * smooth_field(atlas.shape, atlas.spacing_mm, 4, rng)
    image = np.where(brain, np.maximum(image, 0.02), 0).astype(np.float32)
    return Anatomy(parts[0], parts[1], parts[2], brain, image, signal, atlas.spacing_mm)


def _largest_part(brain: Mask) -> Mask:
    # The grid and the deformation can cut off islands, which a skull stripper would not leave either.
    parts = ndimage.label(brain)[0]
    return np.asarray(parts == 1 + np.bincount(parts.ravel())[1:].argmax())


def _sample_points(atlas: Atlas, rng: np.random.Generator) -> NDArray[np.float64]:
    """(3, X, Y, Z): where in the atlas, in its voxels, each voxel of the subject is taken from."""
    turn = Rotation.from_euler("xyz", rng.normal(0, 3, 3), degrees=True).as_matrix()
    stretch = np.diag(rng.uniform(0.96, 1.10) * rng.uniform(0.97, 1.03, 3))
    affine = atlas.affine
    grid = np.stack(np.meshgrid(*(np.arange(size) for size in atlas.shape), indexing="ij"))
    middle = (np.array(atlas.shape) - 1) / 2
    mm: NDArray[np.float64] = np.einsum(
        "ij,jxyz->ixyz", turn @ stretch, (grid - middle[:, None, None, None]) * atlas.spacing_mm
    )
    for scale_mm, amplitude_mm in ((45, 2.5), (18, 1.2)):
        for axis in range(3):
            mm[axis] += amplitude_mm * smooth_field(atlas.shape, atlas.spacing_mm, scale_mm, rng)
    mm += (affine[:3, 3] + middle * atlas.spacing_mm)[:, None, None, None]
    # Sampling nearer to the ventricles' midpoint enlarges them, sampling further away narrows them.
    away = mm - _VENTRICLES_MM[:, None, None, None]
    near = np.exp(-0.5 * np.square(away / _VENTRICLES_REACH_MM[:, None, None, None]).sum(0))
    mm -= rng.uniform(-0.25, 0.45) * near * away
    return mm - atlas.origin_mm[:, None, None, None]


def acquire(image: Volume, brain: Mask, spacing_mm: float, rng: np.random.Generator) -> NDArray[np.int16]:
    """The scan of an image: receive bias, Rician noise, an arbitrary scale, int16; 0 outside the brain, >= 1 inside."""
    shape = (image.shape[0], image.shape[1], image.shape[2])
    signal = image * np.exp(rng.uniform(0.03, 0.12) * smooth_field(shape, spacing_mm, 70, rng))
    noise = np.float32(rng.uniform(0.008, 0.025))
    # The magnitude of a complex signal with normal noise in both channels is Rice distributed.
    real = signal + noise * rng.standard_normal(shape, np.float32)
    imaginary = noise * rng.standard_normal(shape, np.float32)
    scan = np.hypot(real, imaginary) * np.exp(rng.uniform(np.log(250), np.log(2500)))
    return np.where(brain, np.clip(np.rint(scan), 1, 32767), 0).astype(np.int16)
