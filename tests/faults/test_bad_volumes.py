"""Images that are not what they should be: one sentence each, the others unharmed, nothing half-written."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.errors import BadInput
from core.slices.folder import FolderSource
from core.slices.ingesting import ingest
from tests.faults.volumes import SHAPE, SMALL, check, good, names, save, voxels


def patch(path: Path, at: int, content: bytes) -> None:
    """Overwrite bytes of the uncompressed header: 40 dim, 70 datatype, 108 vox_offset, 112 scl_slope, 344 magic."""
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[at : at + len(content)] = content
    path.write_bytes(gzip.compress(bytes(raw)))


def text(path: Path) -> None:
    path.write_text("this is no NIfTI file\n" * 50)


def zipped_text(path: Path) -> None:
    path.write_bytes(gzip.compress(b"this is no NIfTI file\n" * 50))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    save(path, voxels())
    path.write_bytes(path.read_bytes()[:-900])


def cut_in_the_header(path: Path) -> None:
    save(path, voxels())
    path.write_bytes(path.read_bytes()[:60])


def cut_before_packing(path: Path) -> None:
    save(path, voxels())
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-500]))


def damaged(path: Path) -> None:
    save(path, voxels())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)


def four_dimensions(path: Path) -> None:
    save(path, np.stack([voxels(n) for n in range(3)], axis=-1))


def all_zero(path: Path) -> None:
    save(path, np.zeros(SHAPE, np.int16))


def constant(path: Path) -> None:
    save(path, np.full(SHAPE, 7, np.int16))


def nan(path: Path) -> None:
    values = voxels().astype(np.float32)
    values[2, 3, 4:6] = np.nan
    values[5, 5, 5] = np.inf
    save(path, values)


def overflow(path: Path) -> None:
    values = voxels().astype(np.float64)
    values[0, 0, 0] = 1e300
    save(path, values)


def too_few(path: Path) -> None:
    values = voxels()
    values[:, :, 5:] = 0
    save(path, values)


def complex_values(path: Path) -> None:
    save(path, voxels().astype(np.complex64))


def colour(path: Path) -> None:
    save(path, np.zeros(SHAPE, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])))


def huge(path: Path) -> None:
    save(path, voxels())
    patch(path, 40, np.array([3, 30000, 30000, 30000, 1, 1, 1, 1], "<i2").tobytes())


def unknown_type(path: Path) -> None:
    save(path, voxels())
    patch(path, 70, np.array([999], "<i2").tobytes())


def half_a_pair(path: Path) -> None:
    save(path, voxels())
    patch(path, 344, b"ni1\0")


def flat_space(path: Path) -> None:
    save(path, voxels(), np.diag([1.0, 1, 1, 1]))
    patch(path, 280, np.zeros(12, "<f4").tobytes())  # sform


def infinite_scale(path: Path) -> None:
    save(path, voxels())
    patch(path, 112, np.array([2.0, np.inf], "<f4").tobytes())


def two_dimensions(path: Path) -> None:
    save(path, voxels()[:, :, 0])


def length_elsewhere(path: Path) -> None:
    """A first length of -1 says that it stands in glmin, where it does not."""
    save(path, voxels())
    patch(path, 42, np.array([-1, 1, 1], "<i2").tobytes())


def needles(path: Path) -> None:
    save(path, voxels(), np.diag([0.002, 9000, 1, 1]))


def no_length(path: Path) -> None:
    save(path, voxels())
    patch(path, 42, np.array([-12], "<i2").tobytes())


def huge_in_another_way(path: Path) -> None:
    """A product that would overflow 64 bits."""
    save(path, voxels())
    patch(path, 40, np.array([7, *[32767] * 7], "<i2").tobytes())


def bomb(path: Path) -> None:
    """50 kB that unpack to 48 MiB, behind a header that claims 1 GiB."""
    save(path, voxels())
    header = gzip.decompress(path.read_bytes())[:352]
    deflate = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 24)
    with path.open("wb") as file:
        file.write(deflate.compress(header))
        for _ in range(3):
            file.write(deflate.compress(zeros))
        file.write(deflate.flush())
    patch(path, 40, np.array([3, 800, 800, 800], "<i2").tobytes())


def nowhere(path: Path) -> None:
    save(path, voxels())
    patch(path, 280, np.full(12, np.nan, "<f4").tobytes())


def sheared(path: Path) -> None:
    """Two axes that point the same way."""
    save(path, voxels())
    patch(path, 280, np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0], "<f4").tobytes())


def no_rotation(path: Path) -> None:
    """A quaternion longer than 1, and no sform beside it."""
    save(path, voxels())
    patch(path, 252, np.array([1, 0], "<i2").tobytes() + np.array([2, 0, 0], "<f4").tobytes())


def no_edge(path: Path) -> None:
    """An edge of 0, which nibabel would take for 1 mm, and no sform beside it."""
    save(path, voxels(), np.diag([2, 3, 4, 1]))
    patch(path, 252, np.array([1, 0], "<i2").tobytes())
    patch(path, 84, np.array([0], "<f4").tobytes())


def no_edges(path: Path) -> None:
    """As of a program that knows nothing of space."""
    save(path, voxels())
    patch(path, 76, np.zeros(4, "<f4").tobytes())
    patch(path, 252, np.zeros(2, "<i2").tobytes())


def no_offset(path: Path) -> None:
    save(path, voxels())
    patch(path, 108, np.array([np.nan], "<f4").tobytes())


def microscopic(path: Path) -> None:
    save(path, voxels(), np.diag([1e-6, 1e-6, 1e-6, 1]))


def overflow_by_scaling(path: Path) -> None:
    save(path, voxels())
    patch(path, 112, np.array([3e38, 0], "<f4").tobytes())


def wholly_negative(path: Path) -> None:
    save(path, -voxels())


def offset_beyond(path: Path) -> None:
    save(path, voxels())
    patch(path, 108, np.array([1e20], "<f4").tobytes())


def gone(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


def in_a_circle(path: Path) -> None:
    path.symlink_to(path)


BAD: dict[Callable[[Path], None], str] = {
    text: "is not gzip-compressed, although its name ends in .gz",
    zipped_text: "is not a NIfTI file, since it does not begin with a NIfTI header",
    empty: "is not gzip-compressed, although its name ends in .gz",
    cut: "its gzip compression is cut short, after ",
    cut_in_the_header: "its gzip compression is cut short, after ",
    cut_before_packing: "is cut short, with 3212 bytes of the 3712 that its header tells of",
    damaged: "its gzip compression is damaged (Error -3 while decompressing data: ",
    four_dimensions: "has shape (12, 14, 10, 3), expected a 3-D volume",
    all_zero: "every voxel is 0, expected an image",
    constant: "every voxel is 7, expected an image",
    nan: "3 of 1680 voxels are NaN or infinite, expected finite values",
    overflow: "1 of 1680 voxels are NaN or infinite, expected finite values",
    too_few: "has 5 axial slices with tissue, 6 were asked",
    complex_values: "holds complex64 values, expected one real number per voxel",
    colour: "holds colour values, expected one real number per voxel",
    huge: "its header claims (30000, 30000, 30000) voxels, expected less than 2 GiB as float32",
    unknown_type: "its NIfTI header is wrong (data code 999 not",
    half_a_pair: "is only half of a pair of files, expected a single NIfTI file",
    flat_space: "its affine does not place voxels in space, expected three axes of finite length",
    infinite_scale: "its intensity scaling is wrong (",
    two_dimensions: "has shape (12, 14), expected a 3-D volume",
    length_elsewhere: "its header tells of no shape (-1 in dim[1] but 0 in glmin; ",
    needles: "its voxels are 0.002 x 9e+03 x 1 mm, expected edges of at most 100 to 1",
    no_length: "has shape (-12, 14, 10), expected a 3-D volume",
    huge_in_another_way: "has shape (32767, 32767, 32767, 32767, 32767, 32767, 32767), expected a 3-D volume",
    bomb: "is cut short, with 50332000 bytes of the 1024000352 that its header tells of",
    nowhere: "its affine does not place voxels in space, expected three axes of finite length",
    sheared: "its affine does not place voxels in space, expected three axes of finite length",
    no_rotation: "its affine cannot be made from its header (",
    no_edge: "its header has voxels of 2 x 0 x 4 mm and no sform, expected edges above 0",
    no_edges: "its header has voxels of 0 x 0 x 0 mm and no sform, expected edges above 0",
    no_offset: "its header claims that voxels begin at byte nan, expected a place behind it",
    microscopic: "its affine does not place voxels in space, expected three axes of finite length",
    overflow_by_scaling: " of 1680 voxels are NaN or infinite, expected finite values",
    wholly_negative: "has 0 axial slices with tissue, 6 were asked",
    offset_beyond: "its header claims that voxels begin at byte 1e+20, expected a place behind it",
    gone: "cannot be read (No such file or directory)",
    in_a_circle: "cannot be read (Too many levels of symbolic links)",
}


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_a_bad_image(make: Callable[[Path], None], tmp_path: Path) -> None:
    good(tmp_path)
    alone = ingest(FolderSource(tmp_path, "d"), tmp_path / "alone.arrow", SMALL).table
    make(tmp_path / "images" / "bad.nii.gz")
    report = ingest(FolderSource(tmp_path, "d"), tmp_path / "t.arrow", SMALL)
    check(report, BAD[make])
    np.testing.assert_array_equal(report.table.images(slice(None)), alone.images(slice(None)))
    assert report.table.metadata.source_digest == alone.metadata.source_digest


@pytest.mark.parametrize("make", [text, cut, nan, four_dimensions], ids=lambda make: make.__name__)
def test_nothing_but_bad_images(make: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    make(tmp_path / "images" / "bad.nii.gz")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "t.arrow").write_text("older")
    with pytest.raises(BadInput, match=r"none of 1 volumes can be used; the first, bad: bad\.nii\.gz: "):
        ingest(FolderSource(tmp_path, "d"), tmp_path / "out" / "t.arrow", SMALL)
    assert names(tmp_path / "out") == ["t.arrow"]
    assert (tmp_path / "out" / "t.arrow").read_text() == "older"
