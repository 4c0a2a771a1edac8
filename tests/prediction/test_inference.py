"""inference.json: what a detector needs to be used on scans, and what is done where it is missing."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core.best import _NEEDED, FORMAT
from core.checkpoint import save_detector
from core.errors import BadInput
from core.evaluation import evaluate, scorer_of
from core.metrics import pooled
from core.mirror import place
from core.prediction import Inference, load_inference, save_inference
from core.prediction.detectors import open_detector
from core.prediction.inference import NAME
from core.slices.layout import TableMetadata, VolumeSlices
from core.slices.preprocess import Preprocessing
from core.slices.table import SliceTable, open_table, write_table
from tests.conftest import volume
from tests.prediction.conftest import SCALE, SMALL

CPU = torch.device("cpu")
RECORDED = {"side": 32, "slices": 6, "equalise": "none"}  # as tables were written before planes


def copied(table: SliceTable, path: Path) -> Path:
    """The same slices in a table that tells how they were made."""
    volumes = []
    for name in np.unique(table.volume):
        rows = np.flatnonzero(table.volume == name)
        masks, families = table.masks(rows), list(table.family[rows])
        found = VolumeSlices("test", name, name, table.images(rows), masks, table.slice_index[rows], families)
        volumes.append(found)
    return write_table(path, volumes, TableMetadata(RECORDED)).path


@pytest.fixture
def bare(detector: Path) -> Path:
    (detector / NAME).unlink()
    return detector


def test_what_is_saved_is_loaded(detector: Path) -> None:
    assert load_inference(detector) == Inference(Preprocessing(32, 8), SCALE, 0.5)
    save_inference(detector, Inference(None))
    assert load_inference(detector) == Inference(None)
    (detector / NAME).unlink()
    assert load_inference(detector) is None


def test_other_weights_and_damage_are_refused(detector: Path) -> None:
    content = json.loads((detector / NAME).read_text())
    for wrong in (
        {"format": 2},
        {"calibration": {"logits": [1, 0], "values": [0.1, 0.2]}},
        {"preprocessing": {"x": 1}},
        {"threshold": "high"},
        {"threshold": float("nan")},
    ):
        (detector / NAME).write_text(json.dumps(content | wrong))
        with pytest.raises(BadInput, match=r"inference\.json: "):
            load_inference(detector)
    (detector / NAME).write_text("{")
    with pytest.raises(BadInput, match=r"cannot be read .* anew of --train and --probe"):
        load_inference(detector)
    (detector / NAME).write_text(json.dumps(content))
    torch.manual_seed(7)
    save_detector(detector, SMALL.detector.build(SMALL.loss), SMALL)
    with pytest.raises(BadInput, match="belongs to other weights"):
        load_inference(detector)


def test_a_detector_that_tells_nothing_is_refused_by_what_is_missing(
    bare: Path, healthy: SliceTable, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"how its slices were made is not known .* name its --train"):
        open_detector(bare, CPU)
    with pytest.raises(BadInput, match=r"healthy\.arrow does not tell"):
        open_detector(bare, CPU, table=healthy.path)
    with pytest.raises(BadInput, match="its maps have no scale yet; name a --probe"):
        open_detector(bare, CPU, table=copied(healthy, tmp_path / "train.arrow"))
    assert not (bare / NAME).exists()


def test_tables_complete_an_older_detector_once(
    bare: Path, healthy: SliceTable, lesioned: SliceTable, tmp_path: Path
) -> None:
    train = copied(healthy, tmp_path / "train.arrow")
    made = open_detector(bare, CPU, table=train, probe=lesioned.path)
    assert made.preprocessing == Preprocessing(**RECORDED)
    again = open_detector(bare, CPU)  # from the file alone
    assert (again.calibration, again.threshold, again.preprocessing) == (
        made.calibration, made.threshold, made.preprocessing,
    )  # fmt: skip
    pixels = evaluate(made.scorer, lesioned, device=CPU)
    assert made.threshold == pooled(pixels.frame.values()).best_dice()[0]


def test_what_is_named_replaces_what_is_known_and_no_more(
    detector: Path, healthy: SliceTable, lesioned: SliceTable, tmp_path: Path
) -> None:
    by_probe = open_detector(detector, CPU, probe=lesioned.path)
    assert by_probe.preprocessing == Preprocessing(32, 8)
    assert by_probe.calibration != SCALE
    by_table = open_detector(detector, CPU, table=copied(healthy, tmp_path / "train.arrow"))
    assert by_table.preprocessing == Preprocessing(**RECORDED)
    assert (by_table.calibration, by_table.threshold) == (by_probe.calibration, by_probe.threshold)


def test_a_studys_tables_complete_its_detector_where_none_is_named(
    bare: Path, healthy: SliceTable, lesioned: SliceTable, tmp_path: Path
) -> None:
    train = open_table(copied(healthy, tmp_path / "train.arrow"))
    tables = {
        role: {"path": str(one.path), "digest": one.digest} for role, one in (("train", train), ("probe", healthy))
    }
    (bare.parent / "best.json").write_text(json.dumps(dict.fromkeys(_NEEDED) | {"format": FORMAT, "tables": tables}))
    made = open_detector(bare, CPU)
    assert made.preprocessing == Preprocessing(**RECORDED)
    assert made.threshold is None  # healthy slices alone
    train.path.unlink()  # no longer needed
    assert open_detector(bare, CPU, probe=lesioned.path).threshold is not None
    assert open_detector(bare, CPU).threshold is not None


def test_a_probe_of_subjects_that_were_trained_on_is_refused(
    bare: Path, healthy: SliceTable, lesioned: SliceTable, tmp_path: Path
) -> None:
    train = copied(healthy, tmp_path / "train.arrow")
    save_inference(bare, Inference.of(open_table(train), trained=healthy.subjects[1:]))
    assert healthy.subjects[1].split("/")[1] not in (bare / NAME).read_text()
    seen = rf"healthy\.arrow: the detector was trained on subject '{healthy.subjects[1]}' and 4"
    for table in (None, train):
        with pytest.raises(BadInput, match=seen + " more, expected a probe of others"):
            open_detector(bare, CPU, table=table, probe=healthy.path)
    assert open_detector(bare, CPU, table=train, probe=lesioned.path).calibration
    known = load_inference(bare)
    assert known is not None
    assert len(known.trained) == 5  # what was completed still tells
    held_out = write_table(tmp_path / "held-out.arrow", [volume(0)], TableMetadata())
    assert open_detector(bare, CPU, probe=held_out.path).calibration
    (bare / NAME).write_text("damaged")
    assert open_detector(bare, CPU, table=train, probe=lesioned.path).calibration


def test_healthy_slices_alone_give_a_scale_without_a_threshold(bare: Path, healthy: SliceTable, tmp_path: Path) -> None:
    train = copied(healthy, tmp_path / "train.arrow")
    made = open_detector(bare, CPU, table=train, probe=healthy.path)
    assert made.threshold is None
    tissue = pooled(evaluate(made.scorer, healthy, device=CPU).tissue.values())
    share = tissue.counts[made.calibration(tissue.scores) > 0.27].sum() / tissue.counts.sum()
    assert share == pytest.approx(0.01, abs=0.003)


def test_a_probe_of_another_size_is_refused(bare: Path, healthy: SliceTable, tmp_path: Path) -> None:
    slices = np.full((2, 16, 16), 9, np.uint8)
    small = VolumeSlices("d", "s", "v", slices, None, np.arange(2, dtype=np.int32), [None] * 2)
    probe = write_table(tmp_path / "small.arrow", [small], TableMetadata())
    with pytest.raises(BadInput, match="slices of 16 pixels, expected 32"):
        open_detector(bare, CPU, table=copied(healthy, tmp_path / "t.arrow"), probe=probe.path)


def test_scorer_of_a_loaded_detector_is_the_trained_one(detector: Path) -> None:
    torch.manual_seed(0)
    built = SMALL.detector.build(SMALL.loss)
    with torch.no_grad():
        built.unet.output.weight.normal_(std=20)  # type: ignore[operator]
    images = torch.rand(3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(open_detector(detector, CPU).scorer(images), scorer_of(built.eval())(images))


def test_on_object_storage(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine, whose cache is empty, finds the same."""
    folder, inference = f"{bucket}/mine/retrained", Inference(Preprocessing(32, 8), SCALE, 0.5)
    save_detector(place(folder), SMALL.detector.build(SMALL.loss), SMALL)
    save_inference(place(folder), inference)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "machine-2"))
    assert open_detector(place(folder), CPU).calibration == SCALE
    assert load_inference(place(folder)) == inference
