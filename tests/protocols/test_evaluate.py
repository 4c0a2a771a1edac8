"""The program: both protocols as users run them, and one sentence for a mistake."""

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from safetensors.torch import save_file

from core.config import Config, override, to_dict
from core.slices.table import SliceTable


def evaluate(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "core.evaluate", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(3):
        label = (rng.random((6, 6, 6)) < 0.2).astype(np.uint8)
        scores = 0.5 * label + 0.5 * rng.random(label.shape)
        for name, voxels in (("pred", scores.astype(np.float32)), ("label", label)):
            (tmp_path / name).mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(voxels, np.eye(4)), tmp_path / name / f"toy_{number}.nii.gz")
    return tmp_path


def test_mood(folders: Path) -> None:
    done = evaluate(folders, "--protocol", "mood", "pred", "label", "--out", "mood.json")
    assert done.returncode == 0, done.stderr
    result = json.loads((folders / "mood.json").read_text())
    assert f"average precision {result['pooled']['average_precision']:.4f} [" in done.stdout
    for case in result["cases"]:
        assert f"{case['average_precision']:.4f}" in next(
            line for line in done.stdout.splitlines() if case["name"] in line
        )


def test_mistakes_end_with_one_sentence(folders: Path) -> None:
    (folders / "pred" / "toy_1.nii.gz").unlink()
    for arguments, told in (
        (("--protocol", "mood", "pred", "label", "--out", "x.json"), "pred/toy_1.nii.gz: no such prediction"),
        (("--protocol", "mood", "pred"), "expected two folders, PREDICTIONS and LABELS, and got 1"),
        (("--protocol", "mood", "pred", "label", "--table", "t"), "--test t: expected only with --protocol slices"),
        (("pred", "label"), "label: expected only with --protocol mood"),
        (("--protocol", "voxels"), "--protocol 'voxels': expected slices or mood"),
    ):
        done = evaluate(folders, *arguments)
        assert done.returncode == 2
        assert told in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
    assert not (folders / "x.json").exists()


def test_slices_beside_the_paper(tmp_path: Path, healthy: SliceTable, lesioned: SliceTable) -> None:
    config = override(Config(), {"detector.base": 2, "detector.depth": 2})
    detector = tmp_path / "detector"
    detector.mkdir()
    save_file(config.detector.build(config.loss).state_dict(), detector / "model.safetensors")
    (detector / "config.json").write_text(json.dumps(to_dict(config)))
    tables = ("--table", lesioned.path, "--validation", lesioned.path, "--normal", healthy.path)
    done = evaluate(tmp_path, "detector", *map(str, tables), "--out", "result.json")
    assert done.returncode == 0, done.stderr
    assert "Deng & Li 0.79 0.86 0.97 0.56 this detector - - - -" in " ".join(done.stdout.split())
    assert "Table I, BRATS: not measured: data not at hand (kind None, expected brats)" in done.stdout
    result = json.loads((tmp_path / "result.json").read_text())
    assert [part["measured"] for part in result["paper"]] == [None] * 3
    assert {"winner", "intensity"} < {entry["name"] for entry in result["entries"]}
