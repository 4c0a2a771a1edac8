"""What core.train leaves for inference: the shipped seed's threshold and scale, and how its slices were made."""

import json
from pathlib import Path

import numpy as np
import pytest
from test_inference import RECORDED, copied

from core import jobs
from core.best import Best
from core.config import override, to_dict
from core.device import choose_device
from core.evaluation import evaluate
from core.prediction import Calibration
from core.prediction.detectors import open_detector
from core.prediction.inference import NAME
from core.probes import build_probe
from core.retraining import retrain
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
        "controls": {},
        "seeds": [4, 5],
        "objective": {},
        "verdict": {},
        "tables": {role: {"path": str(table.path), "digest": table.digest} for role, table in tables.items()},
    }
    folder = retrain(Best(tmp_path / "study", data), device="cpu", say=lambda _: None)
    result = json.loads((folder / "evaluation.json").read_text())
    shipped = result["seeds"].index(result["shipped"]["seed"])
    (winner,) = (entry for entry in result["entries"] if entry["name"] == "winner")

    cpu = choose_device("cpu")
    ready = open_detector(folder, cpu)
    assert len(set(winner["thresholds"])) == 2
    assert ready.threshold == winner["thresholds"][shipped]
    assert ready.preprocessing == Preprocessing(**RECORDED)
    expected = Calibration.of(evaluate(ready.scorer, probe, device=cpu))
    np.testing.assert_allclose(ready.calibration.logits, expected.logits, rtol=1e-3)

    # A detector from before inference.json is completed from its study.
    (folder / NAME).unlink()
    (tmp_path / "study" / "best.json").write_text(json.dumps(data | {"format": 1}))
    again = open_detector(folder, cpu)
    assert again.threshold == pytest.approx(ready.threshold, rel=1e-3)
    assert (folder / NAME).is_file()
