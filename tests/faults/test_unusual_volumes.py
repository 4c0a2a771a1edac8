"""Volumes that are unusual but right."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.slices.nifti import read_volume
from tests.faults.volumes import save, voxels


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
