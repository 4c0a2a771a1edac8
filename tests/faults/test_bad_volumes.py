"""Volumes that are not what they should be: one sentence each, the others unharmed, nothing half-written."""

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput, BadVolume
from core.slices import open_table
from core.slices.folder import FolderSource
from core.slices.ingesting import IngestReport, ingest
from core.slices.nifti import read_volume
from core.slices.preprocess import Preprocessing

SMALL = Preprocessing(side=16, slices=6)
SHAPE = (12, 14, 10)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def voxels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 900, SHAPE).astype(np.int16)


def save(path: Path, values: np.ndarray, affine: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, np.eye(4) if affine is None else affine), path)


def good(root: Path) -> None:
    for n in range(3):
        save(root / "images" / f"good{n}.nii.gz", voxels(n))


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


def folder(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


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
}


def check(report: IngestReport, sentence: str) -> None:
    assert [name for name, _ in report.skipped] == ["bad"]
    reason = report.skipped[0][1]
    assert reason.startswith("bad.nii.gz: ")
    assert sentence in reason
    assert "\n" not in reason
    assert "/" not in reason
    again = open_table(report.table.path, verify=True)
    assert again.metadata.skipped == report.skipped
    assert again.subjects == ("d/good0", "d/good1", "d/good2")
    assert len(again) == 18


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


def other_shape() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((12, 14, 9), np.uint8), np.eye(4)


def other_place() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(SHAPE, np.uint8), np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 8], [0, 0, 0, 1.0]])


def mirrored() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(SHAPE, np.uint8), np.diag([-1.0, 1, 1, 1])


def negative() -> tuple[np.ndarray, np.ndarray]:
    return np.full(SHAPE, -1, np.int16), np.eye(4)


def nan_mask() -> tuple[np.ndarray, np.ndarray]:
    return np.full(SHAPE, np.nan, np.float32), np.eye(4)


MASKS = {
    other_shape: "has shape (12, 14, 9), expected (12, 14, 10) as bad.nii.gz has",
    other_place: "lies up to 8.0 mm away from bad.nii.gz, expected at most 1.0 mm",
    mirrored: "lies up to 11.0 mm away from bad.nii.gz, expected at most 1.0 mm",
    negative: "holds the value -1, expected no negative value in a mask",
    nan_mask: "1680 of 1680 voxels are NaN or infinite, expected finite values",
}


@pytest.mark.parametrize("make", MASKS, ids=lambda make: make.__name__)
def test_a_bad_mask(make: Callable[[], tuple[np.ndarray, np.ndarray]], tmp_path: Path) -> None:
    good(tmp_path)
    for n in range(3):
        save(tmp_path / "masks" / f"good{n}.nii.gz", np.zeros(SHAPE, np.uint8))
    save(tmp_path / "images" / "bad.nii.gz", voxels())
    save(tmp_path / "masks" / "bad.nii.gz", *make())
    check(ingest(FolderSource(tmp_path, "d"), tmp_path / "t.arrow", SMALL), MASKS[make])


def test_other_labels_than_brats_has(tmp_path: Path) -> None:
    from core.slices.brats import BratsSource

    for n, name in enumerate(["BraTS20_Training_001", "BraTS20_Training_002"]):
        save(tmp_path / name / f"{name}_t2.nii.gz", voxels(n))
        seg = np.zeros(SHAPE, np.uint8)
        seg[3:5, 3, 3] = [1, 4] if n else [5, 9]
        save(tmp_path / name / f"{name}_seg.nii.gz", seg)
    report = ingest(BratsSource(tmp_path), tmp_path / "t.arrow", SMALL)
    reason = "BraTS20_Training_001_seg.nii.gz: holds the label 5, 9, expected 0, 1, 2, 3, 4"
    assert report.skipped == (("BraTS20_Training_001_t2", reason),)
    assert report.used == 1


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_what_is_unusual_but_right(name: str, tmp_path: Path) -> None:
    """A fourth dimension of one, scaled integers, big-endian order, NIfTI-2, several gzip members, bytes at the end."""
    path, values = tmp_path / name, voxels()
    save(path, values[..., None])
    np.testing.assert_array_equal(read_volume(path).voxels, values)
    for kind, order in ((nib.Nifti1Image, "<"), (nib.Nifti1Image, ">"), (nib.Nifti2Image, ">")):
        header = kind.header_class(endianness=order)
        image = kind(values, np.eye(4), header)
        image.header.set_slope_inter(0.5, -3)
        nib.save(image, path)
        stored = nib.load(path)
        np.testing.assert_allclose(read_volume(path).voxels, stored.get_fdata(), rtol=1e-6)
    raw = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    parts = [raw[:400], raw[400:2000], raw[2000:] + b"more"]
    path.write_bytes(b"".join(map(gzip.compress, parts)) + bytes(30) if name.endswith(".gz") else raw + b"more")
    np.testing.assert_allclose(read_volume(path).voxels, stored.get_fdata(), rtol=1e-6)


def test_a_small_file_that_unpacks_to_a_huge_one(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    save(path, voxels())
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(1 << 28), 1))
    np.testing.assert_array_equal(read_volume(path).voxels, voxels())  # and in no time: the zeros are not unpacked


@given(at=st.integers(0, 351), content=st.binary(min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_any_header_is_read_or_refused(at: int, content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.nii"
    save(path, voxels())
    raw = bytearray(path.read_bytes())
    raw[at : at + len(content)] = content
    path.write_bytes(raw)
    refused, volume = "", None
    try:
        volume = read_volume(path)
    except BadVolume as mistake:
        refused = str(mistake)
    if volume is None:
        assert "\n" not in refused
        assert refused.startswith(f"{path}: ")
    else:
        assert np.isfinite(volume.voxels).all()
        assert volume.voxels.ndim == 3


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda root: None, "no such folder"),
        (lambda root: root.mkdir(), "holds no .nii or .nii.gz file"),
        (lambda root: (root / "images").mkdir(parents=True), "holds no .nii or .nii.gz file"),
        (lambda root: root.write_text("a file"), "no such folder"),
    ],
)
def test_no_volumes(make: Callable[[Path], object], sentence: str, tmp_path: Path) -> None:
    make(tmp_path / "d")
    with pytest.raises(BadInput, match=sentence):
        ingest(FolderSource(tmp_path / "d"), tmp_path / "out" / "t.arrow", SMALL)
    assert not (tmp_path / "out").exists() or not names(tmp_path / "out")


def program(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    here = Path(__file__).parents[2]
    command = [sys.executable, "-m", "core.ingest", *map(str, words)]
    return subprocess.run(command, cwd=cwd, env={**os.environ, "PYTHONPATH": str(here)}, capture_output=True, text=True)


def test_program_skips_and_lists(tmp_path: Path) -> None:
    good(tmp_path / "d")
    text(tmp_path / "d" / "images" / "bad.nii.gz")
    ended = program("folder", "d", "--out", "out/t.arrow", "--slices", 6, "--side", 16, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "4 found, 3 used, 1 skipped" in ended.stdout
    assert "skipped   bad: bad.nii.gz: is not gzip-compressed" in ended.stdout
    assert open_table(tmp_path / "out" / "t.arrow").digest in ended.stdout
    assert names(tmp_path / "out") == ["t.arrow"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("folder", "images"), "none of 1 volumes can be used; the first, bad: bad.nii.gz: is not gzip-compressed"),
        (("brats", "images", "--subjects", "x"), "holds no patient folder"),
    ],
)
def test_program_ends_with_one_sentence(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    text(tmp_path / "images" / "bad.nii.gz")
    ended = program(*words, "--out", "out/t.arrow", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "out" / "t.arrow").exists()
