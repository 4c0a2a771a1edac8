"""From a volume to 8-bit slices of equal size, axial unless another plane is asked for.

An axial slice shows anterior at the top and the patient's right on the left (radiological convention); coronal and
sagittal ones show superior at the top. 0 is background and stays background; foreground is 1 to 255. Intensities are
scaled and equalised on the volume's own voxels, before resizing, so that blended border pixels do not count as tissue.

The paper takes 90 complete slices of HCP and 80 of BRATS, histogram equalised, 128 x 128 (section III.A), and leaves
the scope of the equalisation open. Over the foreground of the whole volume is our reading: per slice, a tumour would
change the grey levels of the healthy tissue around it.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.errors import BadConfig, BadVolume
from core.slices.files import VolumeFile
from core.slices.geometry import ORDER, Frame, Plane, forwards, resized, turned, upright
from core.slices.layout import VolumeSlices
from core.slices.nifti import Volume

_BINS = 4096  # near exact ranks: 256 bins would leave few levels where most of the tissue is
_PART = 1 << 22
_LEAST_RANGE = 1e-30  # of grey levels; in float32, narrower bins would have no width
_TISSUE = 0.01  # a slice holds tissue with this fraction of the largest slice's foreground; stray voxels do not count


@dataclass(frozen=True)
class Preprocessing:
    """What is done to each volume. Raises BadConfig on values out of range.

    side: pixels of the square slices, 8 to 1024. slices: how many consecutive slices, centred on the middle of the
    foreground's extent; 0 takes every slice with tissue. equalise: histogram equalisation over the foreground, per
    volume or slice.
    low_percentile, high_percentile: of the foreground, shown as 1 and 255; a few voxels are often saturated.
    foreground: `positive` is all values above 0 (skull-stripped images; negative noise is background), `otsu` the
    largest object above Otsu's threshold with its holes filled (images with air, noise or skull, and CT).
    """

    side: int = 128
    slices: int = 90
    equalise: Literal["volume", "slice", "none"] = "volume"
    low_percentile: float = 0.5
    high_percentile: float = 99.5
    foreground: Literal["positive", "otsu"] = "positive"
    plane: Plane = "axial"

    def __post_init__(self) -> None:
        if not 8 <= self.side <= 1024:
            raise BadConfig(f"side = {self.side}, expected 8 to 1024 pixels")
        if self.slices < 0:
            raise BadConfig(f"slices = {self.slices}, expected at least 1, or 0 for all with tissue")
        if not 0 <= self.low_percentile < self.high_percentile <= 100:
            span = f"{self.low_percentile} and {self.high_percentile}"
            raise BadConfig(f"low_percentile and high_percentile = {span}, expected 0 <= low < high <= 100")
        if self.equalise not in ("volume", "slice", "none"):
            raise BadConfig(f"equalise = {self.equalise!r}, expected volume, slice or none")
        if self.foreground not in ("positive", "otsu"):
            raise BadConfig(f"foreground = {self.foreground!r}, expected positive or otsu")
        if self.plane not in ORDER:
            raise BadConfig(f"plane = {self.plane!r}, expected {', '.join(ORDER)}")


def preprocess(
    file: VolumeFile, image: Volume, mask: NDArray[np.bool_] | None, settings: Preprocessing
) -> VolumeSlices:
    """Slices of one volume; `mask` is (x,y,z) as the image, or None when the whole volume is normal.

    Raises BadVolume when it has too little tissue, too few slices, or (normal_only) no slice without a lesion.
    """
    foreground = turned(_foreground(image, settings), settings.plane)
    indices = _central(file, foreground, settings)
    lesion = None if mask is None else turned(mask, settings.plane)
    if file.normal_only and lesion is not None:
        taken, indices = len(indices), indices[~lesion[:, :, indices].any(axis=(0, 1))]
        lesion = None
        if not len(indices):
            raise BadVolume(f"{image.path}: has a lesion in each of its {taken} central slices")
    images = _images(image, foreground, indices, settings)
    masks = None
    if lesion is not None:
        frame = Frame.of(image.voxels.shape, image.spacing, settings.plane)
        masks = np.stack([_resize_mask(frame.pad(upright(lesion[:, :, k])), settings.side) for k in indices])
    families = [file.family if masks is not None and masks[n].any() else None for n in range(len(indices))]
    return VolumeSlices(file.dataset, file.subject, file.volume, images, masks, indices.astype(np.int32), families)


def every_slice(image: Volume, settings: Preprocessing) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """All slices of a volume that hold tissue, not just the central ones: (n,side,side), and their places (n,).

    Those that `preprocess` takes as well are the same, bit by bit. Raises BadVolume when there is no tissue.
    """
    foreground = turned(_foreground(image, settings), settings.plane)
    indices = _with_tissue(foreground)
    if not len(indices):
        raise BadVolume(f"{image.path}: has no tissue, expected values above 0")
    images = _images(image, foreground, indices, settings)
    if not images.any():
        raise BadVolume(f"{image.path}: has too little tissue to be seen at {settings.side} pixels")
    return images, indices


def _foreground(image: Volume, settings: Preprocessing) -> NDArray[np.bool_]:
    voxels = image.voxels
    if settings.foreground == "positive":
        way = forwards(voxels)
        return (voxels[way] > 0)[way]
    low, high = np.percentile(voxels, (settings.low_percentile, settings.high_percentile))
    levels = np.clip((voxels - low) * (255 / max(high - low, 1e-20)), 0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(np.ravel(levels, "K")[:, None], 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    parts, count = ndimage.label(levels > threshold)
    if count > 1:
        parts = parts == 1 + np.argmax(np.bincount(parts.ravel("K"))[1:])
    filled = np.empty(voxels.shape, np.bool_)
    for k in range(voxels.shape[2]):
        filled[:, :, k] = ndimage.binary_fill_holes(parts[:, :, k])
    return filled


def _with_tissue(foreground: NDArray[np.bool_]) -> NDArray[np.intp]:
    # One after another, since NumPy would add up numbers of eight bytes for each voxel.
    areas = np.array([np.count_nonzero(foreground[:, :, k]) for k in range(foreground.shape[2])])
    return np.flatnonzero(areas > _TISSUE * areas.max())


def _central(file: VolumeFile, foreground: NDArray[np.bool_], settings: Preprocessing) -> NDArray[np.intp]:
    tissue, wanted = _with_tissue(foreground), settings.slices
    if len(tissue) and not wanted:
        return tissue
    extent = int(tissue[-1] - tissue[0]) + 1 if len(tissue) else 0
    if extent < max(1, wanted):
        fewer = f"; --slices 0 takes all, --slices {extent} fewer of each" if extent else ""
        raise BadVolume(
            f"{file.image}: has {extent} {settings.plane} slices with tissue, {max(1, wanted)} were asked{fewer}"
        )
    first = int(tissue[0]) + (extent - wanted) // 2
    return np.arange(first, first + wanted)


def _images(
    image: Volume, foreground: NDArray[np.bool_], indices: NDArray[np.intp], settings: Preprocessing
) -> NDArray[np.uint8]:
    """The square slices, (n,side,side); foreground is turned, and so are indices meant."""
    voxels, side = turned(image.voxels, settings.plane), settings.side
    way = forwards(voxels)
    tissue = np.sort(voxels[way].T[foreground[way].T])  # for axial slices in the order of the memory
    low, high = percentile(tissue, settings.low_percentile), percentile(tissue, settings.high_percentile)
    if not high - low > _LEAST_RANGE:
        raise BadVolume(f"{image.path}: nearly all of its foreground has the value {low:g}, expected an image")
    levels = _curve(_bins(tissue, low, high)) if settings.equalise == "volume" else _curve(None)
    del tissue
    frame = Frame.of(image.voxels.shape, image.spacing, settings.plane)
    images = np.empty((len(indices), side, side), np.uint8)
    for n, k in enumerate(indices):
        # Upright first: as most files are stored, that is how they lie in memory.
        inside, bins = upright(foreground[:, :, k]), _bins(upright(voxels[:, :, k]), low, high)
        if settings.equalise == "slice":
            levels = _curve(bins[inside])
        grey = np.where(inside, np.take(levels, bins, mode="clip"), np.float32(0))
        images[n] = np.rint(resized(frame.pad(grey), side, side))
    return images


def percentile(ordered: NDArray[np.float32], percent: float) -> float:
    """np.percentile of ascending values but for its last bit: sorting takes half as long as its selection of a few."""
    place = (len(ordered) - 1) * (percent / 100)
    below, share = int(place), place % 1
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    rise = float(high - low)
    return float(low) + rise * share if share < 0.5 else float(high) - rise * (1 - share)


def _bins(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint16]:
    scaled = (values - np.float32(low)) * np.float32((_BINS - 1) / (high - low))
    bins: NDArray[np.uint16] = np.clip(scaled, 0, _BINS - 1).astype(np.uint16)
    return bins


def _curve(bins: NDArray[np.uint16] | None) -> NDArray[np.float32]:
    """The grey level, 1 to 255, of each bin: linear, or by the rank of the bin's middle among these values."""
    share = np.linspace(0, 1, _BINS)
    if bins is not None and len(bins):
        # In parts, since NumPy counts in a copy of eight bytes for each value.
        counts = np.zeros(_BINS, np.int64)
        for start in range(0, len(bins), _PART):
            counts += np.bincount(bins[start : start + _PART], minlength=_BINS)
        share = (np.cumsum(counts) - counts / 2) / len(bins)
    return (1 + 254 * share).astype(np.float32)


def _resize_mask(padded: NDArray[np.bool_], side: int) -> NDArray[np.uint8]:
    square = padded.astype(np.uint8)
    found = cv2.resize(square, (side, side), interpolation=cv2.INTER_NEAREST_EXACT)
    if square.any() and not found.any():
        # A lesion between the grid points keeps the pixel it covers most: its slice must not count as normal.
        covered = cv2.resize(square.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
        found[np.unravel_index(np.argmax(covered), covered.shape)] = 1
    return np.asarray(found, np.uint8)
