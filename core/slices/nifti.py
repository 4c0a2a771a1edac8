"""Reading NIfTI files that may be wrong: each mistake is one sentence, and no false promise allocates memory.

Every volume comes back in the canonical orientation, axes towards right, anterior and superior (RAS), whatever the
file's own order is, so that masks and images stored differently still meet.
"""

from dataclasses import dataclass
from hashlib import sha256
from logging import CRITICAL, Logger
from pathlib import Path
from typing import Any
from zlib import decompressobj
from zlib import error as ZlibError

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from core.errors import BadVolume

LARGEST = 2**31
"""Bytes of a volume as float32: 2 GiB, or 812 voxels cubed."""
_GZIP = 16 + 15  # zlib's code for a gzip header with the largest window
_HEADERS: dict[int, Any] = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
_LONGEST_HEADER = 544
_SILENT = Logger("silent", CRITICAL + 1)
_EDGES = (1e-3, 1e4)  # mm; beyond these an affine is wrong
_orientations: Any = nib.orientations  # untyped


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3-D image in RAS order: voxels (x,y,z) float32, finite; affine (4,4), voxel to mm; the file's SHA-256."""

    path: Path
    voxels: NDArray[np.float32]
    affine: NDArray[np.float64]
    digest: str

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel edges in mm along x, y, z."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)


def read_volume(path: Path) -> Volume:
    """Read one image. Raises BadVolume naming the file, what is wrong and what was expected."""
    volume = _read(path)
    low, high = volume.voxels.min(), volume.voxels.max()
    if low == high:
        raise BadVolume(f"{path}: every voxel is {low:g}, expected an image")
    return volume


def read_mask(path: Path, image: Volume, labels: tuple[int, ...] = ()) -> tuple[NDArray[np.bool_], str]:
    """Read the mask of an image: (x,y,z) bool in the image's order, and the file's SHA-256.

    A voxel belongs to the mask from one half upwards; with `labels`, when it holds one of them, and any other value
    than these and 0 is refused. Raises BadVolume too when shape or place differ from the image's.
    """
    mask = _read(path)
    if mask.voxels.shape != image.voxels.shape:
        shape, expected = mask.voxels.shape, image.voxels.shape
        raise BadVolume(f"{path}: has shape {shape}, expected {expected} as {image.path.name} has")
    away, voxel = _distance(mask, image), max(image.spacing)
    if away > voxel:
        raise BadVolume(
            f"{path}: lies up to {away:.1f} mm away from {image.path.name}, expected at most {voxel:.1f} mm"
        )
    if labels:
        # Sorting millions of zeros would take longer than reading the file.
        found = np.unique(mask.voxels.T[mask.voxels.T != 0])
        if other := [f"{value:g}" for value in found if value not in labels]:
            told = ", ".join(other[:5]) + (" ..." if len(other) > 5 else "")
            raise BadVolume(f"{path}: holds the label {told}, expected 0, {', '.join(map(str, labels))}")
    elif mask.voxels.min() < 0:
        raise BadVolume(f"{path}: holds the value {mask.voxels.min():g}, expected no negative value in a mask")
    return mask.voxels >= 0.5, mask.digest


def _read(path: Path) -> Volume:
    try:
        if path.stat().st_size > LARGEST:
            raise BadVolume(f"{path}: is larger than {LARGEST >> 30} GiB")
        packed = path.read_bytes()
    except OSError as error:
        raise BadVolume(f"{path}: cannot be read ({error.strerror})") from error
    compressed = path.name.endswith(".gz")
    if compressed and packed[:2] != b"\x1f\x8b":
        raise BadVolume(f"{path}: is not gzip-compressed, although its name ends in .gz")
    head = _inflate(path, packed, _LONGEST_HEADER) if compressed else packed[:_LONGEST_HEADER]
    header = _header(path, head)
    shape, dtype = _shape(path, header), _dtype(path, header)
    start, count = int(header.get_data_offset()), int(np.prod(shape, dtype=object))
    if count * 4 > LARGEST:
        raise BadVolume(f"{path}: its header claims {shape} voxels, expected less than {LARGEST >> 30} GiB as float32")
    end = start + count * dtype.itemsize
    raw = _inflate(path, packed, end) if compressed else packed
    if len(raw) < end:
        raise BadVolume(f"{path}: is cut short, with {len(raw)} bytes of the {end} that its header tells of")

    stored = np.frombuffer(raw, dtype, count, start).reshape(shape, order="F")
    with np.errstate(over="ignore", invalid="ignore"):
        voxels = stored.astype(np.float32)
        slope, inter = _scaling(path, header)
        if (slope, inter) != (1.0, 0.0):
            voxels = voxels * np.float32(slope) + np.float32(inter)
    if wrong := voxels.size - np.count_nonzero(np.isfinite(voxels)):
        raise BadVolume(f"{path}: {wrong} of {voxels.size} voxels are NaN or infinite, expected finite values")
    affine = _affine(path, header)
    turn = _orientations.io_orientation(affine)
    placed = affine @ _orientations.inv_ornt_aff(turn, shape)
    return Volume(path, _orientations.apply_orientation(voxels, turn), placed, sha256(packed).hexdigest())


def _header(path: Path, head: bytes) -> Any:
    sizes = {int.from_bytes(head[:4], order) for order in ("little", "big")}
    kind = next((kind for size, kind in _HEADERS.items() if size in sizes), None)
    if kind is None or len(head) < kind.sizeof_hdr:
        raise BadVolume(f"{path}: is not a NIfTI file, since it does not begin with a NIfTI header")
    try:
        header = kind(head[: kind.sizeof_hdr], check=False)
        # What nibabel can mend it mends, and would log without naming the file.
        header.check_fix(logger=_SILENT, error_level=40)
        header.get_data_dtype()
    except (HeaderDataError, ValueError, OverflowError) as error:
        raise BadVolume(f"{path}: its NIfTI header is wrong ({error})") from error
    if not bytes(header["magic"].item()).startswith(b"n+"):
        raise BadVolume(f"{path}: is only half of a pair of files, expected a single NIfTI file")
    return header


def _shape(path: Path, header: Any) -> tuple[int, int, int]:
    shape = tuple(int(size) for size in header.get_data_shape())
    # Some programs write a fourth dimension of length 1.
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or min(shape) < 1:
        raise BadVolume(f"{path}: has shape {shape}, expected a 3-D volume")
    return shape[0], shape[1], shape[2]


def _dtype(path: Path, header: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = header.get_data_dtype()
    if dtype.kind not in "iuf":
        kind = "colour" if dtype.names else str(dtype)
        raise BadVolume(f"{path}: holds {kind} values, expected one real number per voxel")
    return dtype


def _scaling(path: Path, header: Any) -> tuple[float, float]:
    try:
        slope, inter = header.get_slope_inter()
    except HeaderDataError as error:
        raise BadVolume(f"{path}: its intensity scaling is wrong ({error})") from error
    return (1.0 if slope is None else float(slope)), (0.0 if inter is None else float(inter))


def _affine(path: Path, header: Any) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        affine = np.asarray(header.get_best_affine(), np.float64)
    if np.isfinite(affine).all():
        edges = np.linalg.norm(affine[:3, :3], axis=0)
        if _EDGES[0] < edges.min() and edges.max() < _EDGES[1] and abs(np.linalg.det(affine[:3, :3] / edges)) > 1e-3:
            return affine
    raise BadVolume(f"{path}: its affine does not place voxels in space, expected three axes of finite length")


def _inflate(path: Path, packed: bytes, most: int) -> bytes:
    """The first `most` bytes behind the compression; also when a small file would unpack to a huge one."""
    parts: list[bytes] = []
    wanted = most
    while packed and wanted > 0:
        stream = decompressobj(_GZIP)
        try:
            # One byte more than wanted lets zlib reach the check sum that stands behind the last one.
            parts.append(stream.decompress(packed, wanted + 1))
        except ZlibError as error:
            raise BadVolume(f"{path}: its gzip compression is damaged ({error})") from error
        wanted -= len(parts[-1])
        if not stream.eof and wanted > 0:
            raise BadVolume(f"{path}: its gzip compression is cut short, after {most - wanted} bytes of {most}")
        packed = stream.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _distance(mask: Volume, image: Volume) -> float:
    """The farthest, in mm, that a corner of the mask lies from the same corner of the image."""
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in image.voxels.shape], [1], indexing="ij")).reshape(4, -1)
    return float(np.linalg.norm(((mask.affine - image.affine) @ corners)[:3], axis=0).max())
