"""Scans of a small head, stored in several ways, and detectors that need no training."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform

from core.checkpoint import save_detector
from core.config import Config, Training
from core.detectors import Segmenter
from core.prediction import Calibration, Inference, Predictor, save_inference
from core.slices.preprocess import Preprocessing

SHAPE = (40, 48, 36)
BRIGHT = (slice(14, 20), slice(28, 35), slice(15, 22))
SCALE = Calibration((-4.0, 0.0, 3.0), (0.05, 0.3, 0.9))
SMALL = Config(detector=Segmenter(base=2, depth=2), training=Training(precision="fp32"))
Store = Callable[..., Path]


def head(seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Dim noise within an ellipsoid and a bright box in it, float32 in RAS order."""
    grid = np.meshgrid(*[np.linspace(-1.2, 1.2, size) for size in shape], indexing="ij")
    noise = np.random.default_rng(seed).uniform(100, 400, shape)
    voxels = np.where(sum(axis**2 for axis in grid) < 1, noise, 0).astype(np.float32)
    voxels[BRIGHT] = 1000
    return voxels


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Write voxels given in RAS order as a file of another order, under `tmp_path`/scans."""

    def stored(
        name: str, voxels: np.ndarray, codes: str = "RAS", spacing: tuple[float, float, float] = (1, 1, 1)
    ) -> Path:
        affine = np.diag([*spacing, 1.0])
        affine[:3, 3] = -7, 3, 20
        turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
        image = nib.Nifti1Image(apply_orientation(voxels, turn), affine @ inv_ornt_aff(turn, voxels.shape))
        path = tmp_path / "scans" / name
        path.parent.mkdir(exist_ok=True)
        nib.save(image, path)
        return path

    return stored


def brightness(plane: str = "axial", side: int = 48, threshold: float | None = 2.0) -> Predictor:
    """A predictor whose logits are the grey levels, from -4 to 4: what is brightest is most anomalous."""
    settings = Preprocessing(side, 8, "none", 0, 100, plane=plane)
    return Predictor(plane, lambda pixels: 8 * pixels - 4, settings, SCALE, threshold, "top", torch.device("cpu"))


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """A folder as core.train --best leaves it, of an untrained detector for 32 x 32 slices."""
    torch.manual_seed(0)
    built = SMALL.detector.build(SMALL.loss)
    with torch.no_grad():
        built.unet.output.weight.normal_(std=20)  # type: ignore[operator]
    folder = tmp_path / "detector"
    folder.mkdir()
    save_detector(folder, built, SMALL)
    save_inference(folder, Inference(Preprocessing(32, 8), SCALE, 0.5))
    return folder
