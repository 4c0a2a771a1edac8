"""What core.train leaves for inference: the shipped seed's threshold and scale, and how its slices were made."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_inference import RECORDED, copied
from torch import nn

from core import jobs
from core.best import Best
from core.config import override, to_dict
from core.device import choose_device
from core.errors import BadTable
from core.evaluation import Scorer, evaluate, objective, scorer_of
from core.families import held_out_families
from core.prediction import Calibration
from core.prediction.detectors import open_detector
from core.prediction.inference import NAME
from core.probes import build_probe
from core.retraining import _opened_before, is_current, retrain
from core.slices.preprocess import Preprocessing
from core.slices.table import SliceTable, open_table
from tests.prediction.conftest import SMALL


def test_retrain_writes_what_inference_needs(
    healthy: SliceTable, lesioned: SliceTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One training after the other, in this process: each other one would spend seconds on importing torch.
    monkeypatch.setattr(jobs, "usable_cores", lambda: 1)
    train = open_table(copied(healthy, tmp_path / "train.arrow"))
    probe = build_probe(train, tmp_path / "probe.arrow", held_out=2, per_family=2, clean=4)
    settings = {"training.epochs": 4, "training.batch": 4, "training.learning_rate": 0.02}
    tables = {"train": train, "probe": probe, "test": lesioned}
    data = {
        "study": "s",
        "config": to_dict(override(SMALL, settings, "test")),
        "controls": {"coarse": to_dict(override(SMALL, settings | {"detector.base": 4, "training.precision": "bf16"}))},
        "seeds": [4, 5],
        "objective": {},
        "verdict": {},
        "tables": {role: {"path": str(table.path), "digest": table.digest} for role, table in tables.items()},
    }
    scored: set[tuple[int, bool]] = set()

    def spied(detector: nn.Module, *, bf16: bool = False) -> Scorer:
        scored.add((detector.unet.output.in_channels, bf16))  # type: ignore[union-attr, arg-type]
        return scorer_of(detector, bf16=bf16)

    monkeypatch.setattr("core.retraining.scorer_of", spied)
    folder = retrain(Best(tmp_path / "study", data), device="cpu", say=lambda _: None)
    result = json.loads((folder / "evaluation.json").read_text())
    shipped = result["seeds"].index(result["shipped"]["seed"])
    (winner,) = (entry for entry in result["entries"] if entry["name"] == "winner")

    assert scored == {(2, False), (4, True)}, "each is scored as precisely as it was trained"
    cpu = choose_device("cpu")
    ready = open_detector(folder, cpu)
    assert len(set(winner["thresholds"])) == 2
    assert ready.threshold == winner["thresholds"][shipped]
    assert ready.preprocessing == Preprocessing(**RECORDED)
    on_probe = evaluate(ready.scorer, probe, device=cpu)
    objectives = result["shipped"]["objectives"]
    assert shipped == objectives.index(max(objectives))
    assert min(objectives) < max(objectives)
    assert objective(on_probe.figures(), held_out_families(probe)) == pytest.approx(max(objectives), rel=1e-3)
    expected = Calibration.of(on_probe)
    np.testing.assert_allclose(ready.calibration.logits, expected.logits, rtol=1e-3)

    # A detector from before inference.json is completed from its study.
    (folder / NAME).unlink()
    (tmp_path / "study" / "best.json").write_text(json.dumps(data | {"format": 1}))
    again = open_detector(folder, cpu)
    assert again.threshold == pytest.approx(ready.threshold, rel=1e-3)
    assert (folder / NAME).is_file()


def test_a_test_table_that_was_replaced_is_told_before_anything_is_trained(
    healthy: SliceTable, lesioned: SliceTable, tmp_path: Path
) -> None:
    probe = build_probe(healthy, tmp_path / "probe.arrow", held_out=2, per_family=2, clean=4)
    tables = {"train": healthy, "probe": probe, "test": lesioned}
    data: dict[str, Any] = {
        "config": to_dict(SMALL),
        "controls": {},
        "seeds": [4],
        "objective": {},
        "tables": {role: {"path": str(table.path), "digest": table.digest} for role, table in tables.items()},
    }
    data["tables"]["test"]["digest"] = healthy.digest
    said: list[str] = []
    with pytest.raises(BadTable, match="these are other slices than before"):
        retrain(Best(tmp_path / "study", data), device="cpu", say=said.append)
    assert not said
    assert not (tmp_path / "study").exists()


def test_how_often_a_study_has_tested_on_a_table_is_counted(
    healthy: SliceTable, lesioned: SliceTable, tmp_path: Path
) -> None:
    file = tmp_path / "evaluation.json"
    assert _opened_before(file, lesioned) == 0
    cases: list[tuple[dict[str, Any] | None, int]] = [
        (None, 0),  # not tested
        ({"digest": lesioned.digest, "opened": 1}, 1),
        ({"digest": lesioned.digest, "opened": 3}, 3),
        ({"digest": lesioned.digest}, 1),  # of before this was counted
        ({"digest": healthy.digest, "opened": 3}, 0),  # another table
    ]
    for test, count in cases:
        file.write_text(json.dumps({"test": test}))
        assert _opened_before(file, lesioned) == count


def test_a_detector_is_up_to_date_with_the_best_json_that_it_was_made_from(tmp_path: Path) -> None:
    best = Best(tmp_path, {"study": "s", "seeds": [1]})
    assert not is_current(best)
    evaluation = tmp_path / "retrained" / "evaluation.json"
    evaluation.parent.mkdir()
    for content, current in (
        ("{", False),
        ("{}", False),
        (json.dumps({"best": Best(tmp_path, {"seeds": [1], "study": "s"}).digest}), True),
        (json.dumps({"best": Best(tmp_path, {"study": "s", "seeds": [2]}).digest}), False),
    ):
        evaluation.write_text(content)
        assert is_current(best) == current
