"""Exported detectors give the detector's maps where this package does not exist."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoint import load_detector, save_detector
from core.config import Config, override
from core.errors import BadConfig, BadInput
from core.export import main
from core.exporting import export
from core.prediction.calibration import Calibration
from core.prediction.inference import Inference, save_inference
from core.slices.preprocess import Preprocessing

SHAPES = ((1, 32, 32), (2, 16, 24), (7, 40, 8))
ELSEWHERE = """
import sys, importlib
for name in ("core", "study"):
    sys.modules[name] = None
    try:
        importlib.import_module(name + ".config")
    except ImportError:
        continue
    sys.exit(f"{name} can be imported")
import json, numpy, torch
told = {"metadata.json": ""}
module = torch.export.load("detector.pt2", extra_files=told).module()
images = numpy.load("images.npz")
maps = {name: module(torch.from_numpy(images[name])).detach().numpy() for name in images}
numpy.savez("maps.npz", **maps)
print(told["metadata.json"])
assert not [name for name in sys.modules if name.startswith(("core.", "study."))]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A detector whose batch statistics and output are those of a trained one, not of a fresh one."""
    config = override(Config(), {"detector.base": 4, "detector.depth": 2, "score": "top"})
    torch.manual_seed(0)
    detector = config.detector.build(config.loss)
    torch.nn.init.normal_(detector.unet.output.weight)
    detector.train()
    for _ in range(3):
        detector(torch.rand(4, 1, 32, 32))
    save_detector(tmp_path / "detector", detector, config)
    scale = Calibration((-2.0, 3.0), (0.1, 0.9))
    save_inference(tmp_path / "detector", Inference(Preprocessing(side=32), scale, threshold=0.5))
    return tmp_path / "detector"


def images_and_maps(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    detector, _ = load_detector(folder)
    rng = np.random.default_rng(0)
    images = {f"a{batch}": rng.random((batch, 1, *size), dtype=np.float32) for batch, *size in SHAPES}
    with torch.inference_mode():
        return images, {name: detector(torch.from_numpy(one)).numpy() for name, one in images.items()}


def test_plain_torch_gives_the_same_maps_elsewhere(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    main(folder, None)
    elsewhere.mkdir()
    (folder / "detector.pt2").rename(elsewhere / "detector.pt2")
    images, wanted = images_and_maps(folder)
    np.savez(elsewhere / "images.npz", **images)
    done = subprocess.run(
        [sys.executable, "-I", "-c", ELSEWHERE], cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert "logit differences" in told["output"]["words"]
    assert told["input"]["preprocessing"] == asdict(Preprocessing(side=32))
    assert told["output"]["threshold"] == 0.5
    assert told["output"]["calibration"] == {"logits": [-2.0, 3.0], "values": [0.1, 0.9]}
    assert told["input"]["multiple_of"] == 4
    with np.load(elsewhere / "maps.npz") as maps:
        for name, expected in wanted.items():
            assert np.ptp(expected) > 0.5
            np.testing.assert_allclose(maps[name], expected, atol=1e-5)


@pytest.mark.parametrize("norm", ["instance", "group", "none"])
def test_every_normalisation_can_be_exported(norm: str, tmp_path: Path) -> None:
    config = override(Config(), {"detector.base": 2, "detector.depth": 1, "detector.norm": norm})
    save_detector(tmp_path, config.detector.build(config.loss), config)
    assert export(tmp_path, tmp_path / "detector.pt2") < 1e-5


def test_onnx_gives_the_same_maps(folder: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    assert export(folder, tmp_path / "detector.onnx") < 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "detector.onnx", providers=["CPUExecutionProvider"])
    told = json.loads(session.get_modelmeta().custom_metadata_map["metadata"])
    assert told["anomaly_score"]["name"] == "top"
    images, wanted = images_and_maps(folder)
    for name, expected in wanted.items():
        (found,) = session.run(["anomaly_map"], {"image": images[name]})
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_sizes_that_the_network_does_not_take_are_refused(folder: Path, tmp_path: Path) -> None:
    export(folder, tmp_path / "detector.pt2")
    module = torch.export.load(tmp_path / "detector.pt2").module()
    with pytest.raises(AssertionError, match="Guard failed"):
        module(torch.zeros(1, 1, 30, 32))


def test_a_detector_that_draws_while_it_scores_is_refused(tmp_path: Path) -> None:
    config = override(Config(), {"detector.kind": "vq-vae", "detector.base": 2})
    save_detector(tmp_path, config.detector.build(config.loss), config)
    with pytest.raises(BadConfig, match=r"config.json: detector.kind = 'vq-vae' redraws codes"):
        export(tmp_path, tmp_path / "detector.pt2")
    assert not (tmp_path / "detector.pt2").exists()


def test_mistakes_leave_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadConfig, match=r"detector.pth: expected a name that ends in .pt2 or .onnx"):
        export(folder, tmp_path / "detector.pth")
    with pytest.raises(BadInput, match=r"nowhere/config.json: not found"):
        export(tmp_path / "nowhere", tmp_path / "detector.pt2")
    with pytest.raises(BadInput, match=r"config.json/config.json: not found; expected a folder"):
        export(folder / "config.json", tmp_path / "detector.pt2")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(BadInput, match=r"needs the package onnxscript; pip install"):
        export(folder, tmp_path / "detector.onnx")
    monkeypatch.setattr("core.exporting.TOLERANCE", -1.0)
    with pytest.raises(RuntimeError, match="gives maps that differ"):
        export(folder, tmp_path / "detector.pt2")
    assert [path.name for path in tmp_path.iterdir()] == ["detector"]
