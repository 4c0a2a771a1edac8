"""MOOD scoring against scikit-learn on all voxels at once, under the public scorer's rules; and each bad prediction."""

import gzip
import os
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from core.durable import write_json
from core.errors import BadInput
from core.protocols.mood import score_folder
from core.protocols.mood_cases import read_pair

SHAPE = (9, 8, 7)


def write(path: Path, voxels: np.ndarray, scaling: tuple[float, float] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(voxels, np.diag([-1, -1, 1, 1]))
    if scaling:
        image.header.set_slope_inter(*scaling)
    nib.save(image, path)


@pytest.fixture
def cases(tmp_path: Path) -> tuple[Path, Path]:
    """Four cases; one without an anomaly. Scores leave [0, 1], and float16 makes ties of many."""
    rng = np.random.default_rng(0)
    for number in range(4):
        label = (rng.random(SHAPE) < (0 if number == 3 else 0.1)).astype(np.float32)
        scores = rng.normal(0.4, 0.3, SHAPE) + 0.3 * label
        scores[0] = rng.choice([0.25, 0.9999, 0.99991], SHAPE[1:])
        write(tmp_path / "label" / f"{number}.nii.gz", label * 1.4)
        write(tmp_path / "pred" / f"{number}.nii.gz", scores.astype(np.float32 if number else np.float64))
    return tmp_path / "pred", tmp_path / "label"


def by_the_public_rules(predictions: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    names = sorted(path.name for path in labels.iterdir())
    truth = [np.clip(np.rint(nib.load(labels / name).get_fdata()).astype(int), 0, 1) == 1 for name in names]
    scores = [np.clip(nib.load(predictions / name).get_fdata(dtype=np.float16), 0.0, 1.0) for name in names]
    return np.concatenate([one.flatten() for one in truth]), np.concatenate([one.flatten() for one in scores])


def test_pooled_figures_are_scikit_learns(cases: tuple[Path, Path]) -> None:
    truth, scores = by_the_public_rules(*cases)
    assert len(np.unique(scores)) < len(scores) / 1.2  # there are ties
    found = score_folder(*cases, "pixel")["pooled"]
    assert abs(found["average_precision"] - average_precision_score(truth, scores)) < 1e-12
    assert abs(found["auroc"] - roc_auc_score(truth, scores)) < 1e-12
    assert (found["positives"], found["negatives"]) == (truth.sum(), (~truth).sum())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, width=16), st.booleans()), min_size=2, max_size=60))
def test_any_float16_values_rank_as_scikit_learn_ranks_them(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[float, bool]]
) -> None:
    root = tmp_path_factory.mktemp("any")
    scores, truth = np.array([p for p, _ in pairs], np.float32), np.array([t for _, t in pairs])
    truth[0] = True
    write(root / "p" / "a.nii", scores.reshape(1, 1, -1))
    write(root / "l" / "a.nii", truth.astype(np.uint8).reshape(1, 1, -1))
    found = score_folder(root / "p", root / "l", "pixel")["pooled"]["average_precision"]
    assert abs(found - average_precision_score(truth, scores)) < 1e-12


def test_files_with_scaled_integers_are_read_as_the_public_scorer_reads_them(cases: tuple[Path, Path]) -> None:
    rng = np.random.default_rng(1)
    write(cases[0] / "1.nii.gz", rng.integers(0, 30000, SHAPE).astype(np.int16), (1 / 30000, 0.0))
    truth, scores = by_the_public_rules(*cases)
    assert len(np.unique(scores)) > 500
    found = score_folder(*cases, "pixel")["pooled"]["average_precision"]
    assert abs(found - average_precision_score(truth, scores)) < 1e-12


def test_cases_and_intervals(cases: tuple[Path, Path]) -> None:
    for name in ("notes.txt", ".0.nii.gz"):
        (cases[1] / name).write_text("no case")
    result = score_folder(*cases, "pixel")
    label = nib.load(cases[1] / "0.nii.gz").get_fdata().ravel() > 0.5
    scores = np.clip(nib.load(cases[0] / "0.nii.gz").get_fdata(dtype=np.float16), 0, 1).ravel()
    assert result["cases"][0]["name"] == "0.nii.gz"
    assert abs(result["cases"][0]["average_precision"] - average_precision_score(label, scores)) < 1e-12
    assert result["cases"][3]["average_precision"] is None
    interval = result["intervals"]["average_precision"]
    assert interval["subjects"] == 4
    assert interval["low"] < result["pooled"]["average_precision"] < interval["high"]


def test_a_case_whose_name_is_no_text_is_told_with_its_name_escaped(cases: tuple[Path, Path], tmp_path: Path) -> None:
    for folder in cases:
        (folder / "0.nii.gz").rename(folder / os.fsdecode(b"\xff.nii.gz"))
    result = score_folder(*cases, "pixel")
    assert [case["name"] for case in result["cases"]][-1] == r"\udcff.nii.gz"
    write_json(tmp_path / "result.json", result)


def test_a_large_volume_is_read_in_slabs(tmp_path: Path) -> None:
    shape = (256, 256, 300)
    label = np.zeros(shape, np.uint8)
    label[100:120, 100:120, 100:120] = 1
    write(tmp_path / "l.nii.gz", label)
    write(tmp_path / "p.nii.gz", label * np.float32(0.5))
    tracemalloc.start()
    total = sum(int(truth.sum()) for _, truth in read_pair(tmp_path / "p.nii.gz", tmp_path / "l.nii.gz"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 8000
    assert peak < 0.8 * 4 * label.size  # less than the volume as float32 takes


def samples(root: Path, scores: list[str], labels: list[str]) -> tuple[Path, Path]:
    for folder, words in (("pred", scores), ("label", labels)):
        (root / folder).mkdir()
        for number, word in enumerate(words):
            (root / folder / f"{number}.nii.gz.txt").write_text(word)
    return root / "pred", root / "label"


def test_sample_level(tmp_path: Path) -> None:
    near = ["0.7", "0.70000000001", "0.2\nsecond line", "-3", "7", "1e-3"]
    found = score_folder(*samples(tmp_path, near, ["1", "0", "1", "0\n", "1", "0"]), "sample")
    truth, scores = [1, 0, 1, 0, 1, 0], [0.7, 0.70000000001, 0.2, 0, 1, 1e-3]
    assert abs(found["pooled"]["average_precision"] - average_precision_score(truth, scores)) < 1e-12
    assert abs(found["pooled"]["auroc"] - roc_auc_score(truth, scores)) < 1e-12
    assert found["cases"][3] == {"name": "3.nii.gz.txt", "score": 0.0, "anomalous": False}
    assert found["intervals"]["average_precision"]["estimate"] == found["pooled"]["average_precision"]


@pytest.mark.parametrize(
    ("score", "label", "told"),
    [
        ("nan", "1", "0.nii.gz.txt: its first line is 'nan', expected a number from 0 to 1"),
        ("", "1", "0.nii.gz.txt: its first line is '', expected a number from 0 to 1"),
        ("0.5", "2", "0.nii.gz.txt: its first line is '2', expected 0 or 1"),
        ("0.5", "0", "none of 1 cases holds an anomaly"),
    ],
)
def test_bad_samples_are_told(tmp_path: Path, score: str, label: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        score_folder(*samples(tmp_path, [score], [label]), "sample")


def test_bad_predictions_are_told_not_counted_as_zeros(cases: tuple[Path, Path]) -> None:
    target = cases[0] / "2.nii.gz"
    good = target.read_bytes()
    voxels = np.zeros(SHAPE, np.float32)
    voxels[1, 2, 3] = np.nan
    write(target, voxels)
    with pytest.raises(BadInput, match=r"2.nii.gz: 1 voxels in slices 0 and up are NaN"):
        score_folder(*cases, "pixel")
    write(target, voxels[:-1])
    with pytest.raises(BadInput, match=r"2.nii.gz: has shape \(8, 8, 7\), expected \(9, 8, 7\) as .*label/2.nii.gz"):
        score_folder(*cases, "pixel")
    for damaged in (good[: len(good) // 2], gzip.compress(gzip.decompress(good)[:-100]), b"not an image", b""):
        target.write_bytes(damaged)
        with pytest.raises(BadInput, match=r"2.nii.gz: cannot be read \(.+\)"):
            score_folder(*cases, "pixel")
    target.unlink()
    with pytest.raises(BadInput, match=r"pred/2.nii.gz: no such prediction, although .*label has its label"):
        score_folder(*cases, "pixel")


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere: no such folder"):
        score_folder(tmp_path, tmp_path / "nowhere", "pixel")
    with pytest.raises(BadInput, match=r"holds no label, expected files that end in .nii.gz or .nii"):
        score_folder(tmp_path, tmp_path, "pixel")
    with pytest.raises(BadInput, match="--level 'voxel': expected pixel or sample"):
        score_folder(tmp_path, tmp_path, "voxel")
