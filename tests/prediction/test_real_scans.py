"""Real scans, where the folder STUDY_TEST_DATA has them: the map lies on the scan's own voxels."""

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.prediction.volume import predict_volume
from core.prediction.writing import write_nifti
from tests.prediction.conftest import brightness

DATA = Path(os.environ.get("STUDY_TEST_DATA", ""))
pytestmark = pytest.mark.skipif(
    "STUDY_TEST_DATA" not in os.environ, reason="STUDY_TEST_DATA names no folder of real images"
)
SCANS = {
    "BraTS": "brats2018/Brats18_CBICA_AQN_1/*_t2.nii.gz",
    "IXI, PSR, with a slope": "ixi_t1/t1/*.nii.gz",
    "MS, LAS, float32": "ms_lesjak/patient19/*T2*",
}


@pytest.mark.parametrize("pattern", SCANS.values(), ids=SCANS.keys())
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_the_brightness_of_a_head_comes_back_to_its_voxels(pattern: str, plane: str, tmp_path: Path) -> None:
    """Of the map and the same moved by a voxel or mirrored, the map itself agrees best with the scan's brightness."""
    path = min(DATA.glob(pattern))
    found = predict_volume(path, [brightness(plane, side=128)]).map
    write_nifti(tmp_path / "map.nii.gz", path, found, "map")
    scan, made = nib.load(path), nib.load(tmp_path / "map.nii.gz")
    assert made.shape == scan.shape
    np.testing.assert_array_equal(made.affine, scan.affine)
    voxels = np.asarray(scan.dataobj, np.float32)
    voxels = np.clip(voxels, 0, np.percentile(voxels, 99.9))

    def agreement(moved: np.ndarray) -> float:
        return float(np.corrcoef(voxels[2:-2, 2:-2, 2:-2].ravel(), moved[2:-2, 2:-2, 2:-2].ravel())[0, 1])

    best = agreement(found)
    assert best > 0.8
    for axis in range(3):
        for other in (np.roll(found, 1, axis), np.roll(found, -1, axis), np.flip(found, axis)):
            assert agreement(other) < best
