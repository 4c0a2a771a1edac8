"""Reading NIfTI files that may be wrong: each mistake is one sentence, and no false promise allocates memory.

Every volume comes back in the canonical orientation, axes towards right, anterior and superior (RAS), whatever the
file's own order is, so that masks and images stored differently still meet.
"""

import warnings
from dataclasses import dataclass
from logging import CRITICAL, getLogger
from pathlib import Path
from typing import Any, BinaryIO
from zlib import decompressobj

import nibabel as nib
import numpy as np
from isal import isal_zlib
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from core.errors import BadVolume
from core.slices.geometry import forwards
from core.slices.unpacking import CHUNK, Content, Inflater

LARGEST = 2**31
"""Bytes of a volume as float32: 2 GiB, or 812 voxels cubed."""
_HEADERS: dict[int, Any] = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
_LONGEST_HEADER = 544
_NEAR = 1.0  # voxels that a mask's affine may be off, along any axis of the image
_EDGES = (1e-3, 1e4)  # mm; beyond these an affine is wrong
_LONGEST_EDGE = 100  # times the shortest; slices become squares in mm, which would have millions of columns
_FARTHEST = 1e9  # mm, for a voxel's place
_orientations: Any = nib.orientations  # untyped
_IsalError: Any = isal_zlib.error  # a class, which its types take for an object
# What nibabel can mend in a header it mends, and would log without naming the file: in any thread, at each opening.
getLogger("nibabel.global").setLevel(CRITICAL + 1)


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3-D image in RAS order: voxels (x,y,z) float32, finite; affine (4,4), voxel to mm; the file's SHA-256.

    stored_affine: the file's own, before its axes were turned; None for a volume that is not from a file.
    """

    path: Path
    voxels: NDArray[np.float32]
    affine: NDArray[np.float64]
    digest: str
    stored_affine: NDArray[np.float64] | None = None

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel edges in mm along x, y, z."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)


def load_nifti(path: Path, **options: Any) -> Any:
    """The file as nibabel opens it, with nothing said of what it mends in the header. Raises what nibabel raises."""
    with warnings.catch_warnings():
        # An extension is passed on as it is, whatever its length.
        warnings.filterwarnings("ignore", "Extension size", UserWarning)
        return nib.load(path, **options)


def read_volume(path: Path) -> Volume:
    """Read one image. Raises BadVolume naming the file, what is wrong and what was expected."""
    volume = _read(path)
    first = volume.voxels[0, 0, 0]
    if not any((plane != first).any() for plane in volume.voxels.T):
        raise BadVolume(f"{path}: every voxel is {first:g}, expected an image")
    return volume


def read_mask(
    path: Path, image: Volume, labels: tuple[int, ...] = (), *, on_grid: bool = False
) -> tuple[NDArray[np.bool_], str]:
    """Read the mask of an image: (x,y,z) bool in the image's order, and the file's SHA-256.

    A voxel belongs to the mask from one half upwards, and a mask of lower values alone is refused; with `labels`, when
    it holds one of them, and any other value than these and 0 is refused. on_grid: its voxels are the image's, whatever
    its own affine says. Raises BadVolume too when shape or place differ from the image's.
    """
    mask = _read(path, image.stored_affine if on_grid else None)
    shape, expected = mask.voxels.shape, image.voxels.shape
    if shape != expected:
        raise BadVolume(f"{path}: has shape {shape}, expected {expected} as its image has")
    if (away := _distance(mask, image)) > _NEAR:
        raise BadVolume(f"{path}: lies up to {away:.1f} voxels away from its image, expected at most {_NEAR:g}")
    voxels = mask.voxels[way := forwards(mask.voxels)]
    if labels:
        holds = voxels != 0
        found = np.unique(voxels.T[holds.T])  # sorting millions of zeros would take longer than reading the file
        if other := [f"{value:g}" for value in found if value not in labels]:
            told = ", ".join(other[:5]) + (" ..." if len(other) > 5 else "")
            raise BadVolume(f"{path}: holds the label {told}, expected 0, {', '.join(map(str, labels))}")
        return holds[way], mask.digest
    least, most = voxels.min(), voxels.max()
    if least < 0 or 0 < most < 0.5:
        raise BadVolume(f"{path}: holds values from {least:g} to {most:g}, expected 0, and 0.5 or more in lesions")
    return (voxels >= 0.5)[way], mask.digest


def claimed_size(path: Path) -> int:
    """Bytes of the volume as float32, by its header alone; 0 where that cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            header = _header(path, _content(path, file, decompressobj).peek(_LONGEST_HEADER))
            return min(4 * int(np.prod(_shape(path, header), dtype=object)), LARGEST)
    except (BadVolume, OSError):
        return 0


def _read(path: Path, affine: NDArray[np.float64] | None = None) -> Volume:
    """affine: in place of the file's own."""
    try:
        if path.stat().st_size > LARGEST:
            raise BadVolume(f"{path}: is larger than {LARGEST >> 30} GiB")
        try:
            return _parsed(path, isal_zlib.decompressobj, affine)
        except _IsalError:  # ISA-L is several times as fast, and zlib has the last word on what is damaged
            return _parsed(path, decompressobj, affine)
    except OSError as error:
        raise BadVolume(f"{path}: cannot be read ({error.strerror})") from error


def _parsed(path: Path, inflater: Inflater, affine: NDArray[np.float64] | None) -> Volume:
    with path.open("rb", buffering=0) as file:
        content = _content(path, file, inflater)
        content.wanted = _LONGEST_HEADER
        header = _header(path, content.peek(_LONGEST_HEADER))
        shape, dtype, scaling = _shape(path, header), _dtype(path, header), _scaling(path, header)
        start, count = _start(path, header), int(np.prod(shape, dtype=object))
        if count * 4 > LARGEST:
            raise BadVolume(
                f"{path}: its header claims {shape} voxels, expected less than {LARGEST >> 30} GiB as float32"
            )
        content.wanted = start + count * dtype.itemsize
        content.skip(start)
        voxels = _voxels(path, content, count, dtype, scaling)
        digest = content.finish()
    affine = _affine(path, header) if affine is None else affine
    turn = _orientations.io_orientation(affine)
    turned = _orientations.apply_orientation(voxels.reshape(shape, order="F"), turn)
    return Volume(path, turned, affine @ _orientations.inv_ornt_aff(turn, shape), digest, affine)


def _content(path: Path, file: BinaryIO, inflater: Inflater) -> Content:
    if not path.name.lower().endswith(".gz"):
        return Content(path, file, None)
    if file.read(2) != b"\x1f\x8b":
        raise BadVolume(f"{path}: is not gzip-compressed, although its name ends in .gz")
    file.seek(0)
    return Content(path, file, inflater)


def _voxels(
    path: Path, content: Content, count: int, dtype: np.dtype[Any], scaling: tuple[float, float]
) -> NDArray[np.float32]:
    """The values in the file's order. Memory is touched only as far as the file really goes."""
    voxels = np.empty(count, np.float32)
    with np.errstate(over="ignore"):
        slope, inter = np.float32(scaling[0]), np.float32(scaling[1])
    scaled = scaling != (1.0, 0.0)
    wrong, step = 0, CHUNK // dtype.itemsize
    raw = np.empty(min(count, step), dtype)
    for at in range(0, count, step):
        part, stored = voxels[at : at + step], raw[: count - at]
        if content.fill(stored.view(np.uint8).data) < stored.nbytes:
            some = f"with {content.unpacked} bytes of the {content.wanted} that its header tells of"
            raise BadVolume(f"{path}: is cut short, {some}")
        with np.errstate(over="ignore", invalid="ignore"):
            part[:] = stored
            if scaled:
                part *= slope
                part += inter
        if dtype.kind == "f" or scaled:
            wrong += part.size - int(np.count_nonzero(np.isfinite(part)))
    if wrong:
        raise BadVolume(f"{path}: {wrong} of {count} voxels are NaN or infinite, expected finite values")
    return voxels


def _header(path: Path, head: bytes) -> Any:
    sizes = {int.from_bytes(head[:4], order) for order in ("little", "big")}
    kind = next((kind for size, kind in _HEADERS.items() if size in sizes), None)
    if kind is None or len(head) < kind.sizeof_hdr:
        raise BadVolume(f"{path}: is not a NIfTI file, since it does not begin with a NIfTI header")
    try:
        header = kind(head[: kind.sizeof_hdr], check=False)
        lacks = (header["pixdim"][1:4] == 0) & (header["dim"][1:4] > 1)
        header.check_fix(error_level=40)
        header["pixdim"][1:4][lacks] = 0  # nibabel makes it 1 mm, which would do for the depth of a single slice only
        header.get_data_dtype()
    except (HeaderDataError, ValueError, OverflowError) as error:
        raise BadVolume(f"{path}: its NIfTI header is wrong ({error})") from error
    if not bytes(header["magic"].item()).startswith(b"n+"):
        raise BadVolume(f"{path}: is only half of a pair of files, expected a single NIfTI file")
    return header


def _shape(path: Path, header: Any) -> tuple[int, int, int]:
    try:
        shape = tuple(int(size) for size in header.get_data_shape())
    except HeaderDataError as error:
        raise BadVolume(f"{path}: its header tells of no shape ({error})") from error
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


def _start(path: Path, header: Any) -> int:
    start = float(header["vox_offset"])
    if not header.sizeof_hdr <= start <= LARGEST:
        raise BadVolume(f"{path}: its header claims that voxels begin at byte {start:g}, expected a place behind it")
    return int(start)


def _scaling(path: Path, header: Any) -> tuple[float, float]:
    try:
        slope, inter = header.get_slope_inter()
    except HeaderDataError as error:
        raise BadVolume(f"{path}: its intensity scaling is wrong ({error})") from error
    return (1.0 if slope is None else float(slope)), (0.0 if inter is None else float(inter))


def _affine(path: Path, header: Any) -> NDArray[np.float64]:
    if not header["sform_code"] and not header["pixdim"][1:4].all():
        told = " x ".join(f"{edge:.3g}" for edge in header["pixdim"][1:4])
        raise BadVolume(f"{path}: its header has voxels of {told} mm and no sform, expected edges above 0")
    try:
        with np.errstate(all="ignore"):
            affine = np.asarray(header.get_best_affine(), np.float64)
    except (HeaderDataError, ValueError) as error:
        raise BadVolume(f"{path}: its affine cannot be made from its header ({error})") from error
    if np.isfinite(affine).all() and np.abs(affine).max() < _FARTHEST:
        edges = np.linalg.norm(affine[:3, :3], axis=0)
        if _EDGES[0] < edges.min() and edges.max() < _EDGES[1] and abs(np.linalg.det(affine[:3, :3] / edges)) > 1e-3:
            if edges.max() > _LONGEST_EDGE * edges.min():
                told = " x ".join(f"{edge:.3g}" for edge in edges)
                raise BadVolume(f"{path}: its voxels are {told} mm, expected edges of at most {_LONGEST_EDGE} to 1")
            return affine
    raise BadVolume(f"{path}: its affine does not place voxels in space, expected three axes of finite length")


def _distance(mask: Volume, image: Volume) -> float:
    """The farthest, in voxels along an axis of the image, that a corner of the mask lies from the image's."""
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in image.voxels.shape], [1], indexing="ij")).reshape(4, -1)
    return float(np.abs(np.linalg.solve(image.affine, mask.affine @ corners) - corners).max())
