"""Volumes that are unusual but right."""

import gzip
import struct
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.prediction.output import Output
from core.prediction.scans import predict_scans
from core.protocols.mood import score_folder
from core.slices.folder import FolderSource
from core.slices.ingesting import ingest
from core.slices.nifti import read_volume
from tests.faults.volumes import SMALL, save, voxels
from tests.prediction.conftest import brightness


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


@pytest.mark.parametrize("code", [0, 1])
def test_a_single_slice_needs_no_depth(code: int, tmp_path: Path) -> None:
    """As programs for pictures write it: its pixels are known, and no plane that could be cut has its depth."""
    image = nib.Nifti1Image(voxels()[:, :, :1], np.diag([2, 3, 4, 1]))
    image.header["sform_code"], image.header["qform_code"] = 0, code
    image.header["pixdim"][3], image.header["vox_offset"] = 0, 352
    path = tmp_path / "a.nii"
    path.write_bytes(image.header.binaryblock + bytes(4) + voxels()[:, :, :1].tobytes("F"))
    assert nib.load(path).header["pixdim"][3] == 1
    assert read_volume(path).spacing == pytest.approx((2, 3, 1))


def odd(place: Path) -> Path:
    """A folder of volumes whose headers nibabel mends or wonders at, while their sform places them."""
    save(place / "a.nii", voxels())
    stored = nib.load(place / "a.nii")
    edits: dict[str, dict[str, object]] = {
        "bitpix": {"bitpix": 3}, "codes": {"qform_code": 99}, "edges": {"pixdim": [1, -1, 0, 1, 0, 0, 0, 0]},
        "extension": {"vox_offset": 384}, "offset": {"vox_offset": 353}, "qfac": {"pixdim": [0, 1, 1, 1, 0, 0, 0, 0]},
    }  # fmt: skip
    for name, fields in edits.items():
        header = stored.header.copy()
        for field, value in {"vox_offset": 352, **fields}.items():
            header[field] = value
        start = int(header["vox_offset"])
        extension = struct.pack("<4Bii12s", 1, 0, 0, 0, 20, 6, b"of 20 bytes")
        between = (extension if name == "extension" else b"").ljust(start - 348, b"\0")
        (place / f"{name}.nii").write_bytes(header.binaryblock + between + voxels().tobytes("F"))
    return place


def test_what_nibabel_mends_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its lines would name no file, and nothing of a volume depends on what they tell of."""
    images = odd(tmp_path / "images")
    paths = sorted(images.iterdir())
    for path in paths:
        np.testing.assert_array_equal(read_volume(path).voxels, voxels())
    report = ingest(FolderSource(tmp_path), tmp_path / "t.arrow", SMALL, workers=2)
    assert (report.used, report.skipped) == (len(paths), ())
    output = Output(tmp_path / "out", [brightness(side=16)], "mean", mask=True, pictures=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predict_scans(paths, output.predictors, output.keep, lambda *_: None, [])
        assert output.finished == len(paths)
        assert len(score_folder(images, images, "pixel")["cases"]) == len(paths)
    assert not caplog.records


def test_a_small_file_that_unpacks_to_a_huge_one(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    save(path, voxels())
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(1 << 28), 1))
    np.testing.assert_array_equal(read_volume(path).voxels, voxels())  # and in no time: the zeros are not unpacked
