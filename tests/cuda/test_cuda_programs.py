"""On a GPU: a winner is retrained, tested and used on a scan, as it is without."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from core.best import Best
from core.config import Config, override, to_dict
from core.prediction import Calibration, Inference, Predictor
from core.prediction.volume import predict_volume
from core.presets import PRESETS
from core.probes import build_probe
from core.retraining import retrain
from core.slices.preprocess import Preprocessing
from core.slices.table import SliceTable

DEVICE = "cuda"
SMALL = {"detector.base": 4, "detector.depth": 2, "training.epochs": 2, "training.batch": 8}


@pytest.mark.parametrize("name", ["paper", "dae"])
def test_a_winner_is_retrained_and_tested(name: str, healthy: SliceTable, lesioned: SliceTable, tmp_path: Path) -> None:
    probe = build_probe(healthy, tmp_path / "probe.arrow", held_out=2, per_family=3, clean=4)
    tables = {"train": healthy, "probe": probe, "test": lesioned}
    data = {
        "study": "s",
        "config": to_dict(override(PRESETS[name], SMALL)),
        "controls": {},
        "seeds": [4, 5],
        "objective": {},
        "tables": {role: {"path": str(table.path), "digest": table.digest} for role, table in tables.items()},
    }
    folder = retrain(Best(tmp_path / "study", data), device=DEVICE, say=lambda _: None)
    result = json.loads((folder / "evaluation.json").read_text())
    raw, after, *floor = result["entries"]
    assert (raw["kind"], after["kind"]) == ("detector", "postprocessed")
    assert {entry["kind"] for entry in floor} == {"floor"}
    assert all(np.isfinite(run["pixel.average_precision"]) for entry in result["entries"] for run in entry["figures"])
    assert (folder / "model.safetensors").is_file()
    assert (folder / "panels.npz").is_file()


def test_a_scan_gets_the_map_that_it_gets_on_the_host(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grid = np.meshgrid(*[np.linspace(-1.2, 1.2, size) for size in (40, 48, 36)], indexing="ij")
    voxels = np.where(sum(axis**2 for axis in grid) < 1, rng.uniform(100, 400, grid[0].shape), 0).astype(np.float32)
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), tmp_path / "scan.nii.gz")
    config = override(Config(), SMALL | {"training.precision": "fp32"})
    torch.manual_seed(0)
    detector = config.detector.build(config.loss).eval()
    inference = Inference(Preprocessing(32, 8), Calibration((-4.0, 0.0, 3.0), (0.05, 0.3, 0.9)), 0.5)
    there, here = (
        predict_volume(
            tmp_path / "scan.nii.gz",
            [Predictor.of("d", detector.to(where), config, inference, torch.device(where))],
        )
        for where in (DEVICE, "cpu")
    )
    np.testing.assert_allclose(there.map, here.map, atol=0.02)
    assert there.volume_score("mean") == pytest.approx(here.volume_score("mean"), abs=0.02)
