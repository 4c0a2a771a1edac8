"""The program: both protocols as users run them, and one sentence for a mistake."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from core.config import Config, override, to_dict
from core.errors import StudyError
from core.prediction.inference import Inference, save_inference
from core.protocols.slices import score_table
from core.slices.layout import TableMetadata
from core.slices.preprocess import Preprocessing
from core.slices.table import SliceTable, write_table
from tests import forked
from tests.conftest import volume


def evaluate(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run("core.evaluate", arguments, cwd=root, env=os.environ)


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
    command = [sys.executable, "-m", "core.evaluate", "--protocol", "mood", "pred", "label", "--out", "mood.json"]
    done = subprocess.run(command, cwd=folders, capture_output=True, text=True, check=False)
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


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """A folder with an untrained detector."""
    config = override(Config(), {"detector.base": 2, "detector.depth": 2})
    folder = tmp_path / "detector"
    folder.mkdir()
    save_file(config.detector.build(config.loss).state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(to_dict(config)))
    return folder


@pytest.fixture
def other(tmp_path: Path) -> SliceTable:
    """Four other patients, of whom two have a lesion."""
    volumes = (volume(number, lesion=number < 62, prefix="patient") for number in range(60, 64))
    return write_table(tmp_path / "other.arrow", volumes, TableMetadata())


def test_slices_beside_the_paper(
    tmp_path: Path, detector: Path, healthy: SliceTable, lesioned: SliceTable, other: SliceTable
) -> None:
    tables = ("--table", lesioned.path, "--validation", other.path, "--normal", healthy.path)
    done = evaluate(tmp_path, "detector", *map(str, tables), "--out", "result.json")
    assert done.returncode == 0, done.stderr
    assert "Deng & Li 0.79 0.86 0.97 0.56 this detector - - - -" in " ".join(done.stdout.split())
    assert "Table I, BRATS: not measured: data not at hand (kind None, expected brats)" in done.stdout
    assert f"threshold from {other.path}, floor from {healthy.path}" in done.stdout
    assert re.search("^The detector (clearly beats|is not clearly above|does not beat) the floor", done.stdout, re.M)
    result = json.loads((tmp_path / "result.json").read_text())
    assert [part["measured"] for part in result["paper"]] == [None] * 3
    assert result["test"]["of_study"] is None
    assert {"detector", "intensity"} < {entry["name"] for entry in result["entries"]}


def test_tables_that_cannot_judge_are_refused(
    tmp_path: Path, detector: Path, healthy: SliceTable, lesioned: SliceTable, other: SliceTable
) -> None:
    def told(test: SliceTable | None, probe: SliceTable | None, train: SliceTable | None) -> str:
        with pytest.raises(StudyError) as refused:
            score_table(detector, *(one and one.path for one in (test, probe, train)), device="cpu")
        return str(refused.value)

    def made(name: str, **preprocessing: object) -> SliceTable:
        volumes = (volume(number, lesion=True, prefix=name, side=36) for number in range(2))
        return write_table(tmp_path / f"{name}.arrow", volumes, TableMetadata(dict(preprocessing)))

    assert "detector: belongs to no study, so name --test, --probe" in told(lesioned, None, healthy)
    assert "are in both probe and test" in told(lesioned, lesioned, healthy)
    assert "are in both train and test" in told(healthy, other, healthy)
    assert "healthy.arrow: holds no lesion" in told(lesioned, healthy, healthy)
    assert "other.arrow: holds no healthy slices but of subjects of" in told(lesioned, other, other)
    renamed = write_table(
        tmp_path / "renamed.arrow",
        [replace(volume(number), subject=f"new-{number}") for number in (3, 4)],
        TableMetadata(),
    )
    assert "subject 'test/new-3' has slices of subject 'test/healthy-3'" in told(renamed, other, healthy)
    again = [replace(volume(number, lesion=number < 62, prefix="patient"), dataset="again") for number in (61, 62)]
    renamed = write_table(tmp_path / "again.arrow", again, TableMetadata())
    assert "subject 'again/patient-61' has slices of subject 'test/patient-61'" in told(renamed, other, healthy)
    assert "larger.arrow: slices of 36x36, expected 32x32" in told(lesioned, made("larger"), healthy)
    tables = [made(f"odd-{role}", side=36) for role in range(2)]
    assert "expected 36x36 as in" in told(*tables, healthy)
    save_inference(detector, Inference.of(healthy, trained=[lesioned.subjects[1]]))
    assert f"was trained on subject '{lesioned.subjects[1]}', expected a test" in told(lesioned, other, healthy)
    assert f"was trained on subject '{lesioned.subjects[1]}', expected a probe" in told(other, lesioned, healthy)
    save_inference(detector, Inference(Preprocessing(32, plane="axial")))
    turned = write_table(
        tmp_path / "turned.arrow",
        (volume(number, lesion=True, prefix="turned") for number in range(2)),
        TableMetadata({"plane": "coronal"}),
    )
    assert "turned.arrow: slices with plane coronal, expected axial" in told(turned, other, healthy)
    best = dict.fromkeys(("study", "objective", "verdict", "config", "controls", "seeds", "tables"))
    best |= {"format": 1, "subjects": {"train": list(lesioned.subjects), "probe": ["test/held-out"]}}
    (tmp_path / "best.json").write_text(json.dumps(best))
    assert "are in both the study's train table and test" in told(lesioned, other, healthy)
    (tmp_path / "best.json").unlink()
    weights = load_file(detector / "model.safetensors")
    save_file({name: tensor * float("nan") for name, tensor in weights.items()}, detector / "model.safetensors")
    assert "holds NaN, expected weights" in told(lesioned, other, healthy)
