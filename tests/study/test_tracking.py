"""What --log hands to the tools; that they record it is tested with a real search, in test_search_end_to_end.py."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.config import Config, override, to_dict
from core.errors import BadConfig
from study import tracking
from study.options import Tool
from study.tensorboard_logger import TensorBoard
from study.told import Seen
from study.tracking import require_packages

BASE = Config()


def _trial(number: int = 3) -> Any:
    config = to_dict(override(BASE, {"loss.alpha": 0.3, "synthesis.mask.kind": "circle"}))
    return SimpleNamespace(config={"number": number, "config": config})


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda _: None)
    with pytest.raises(BadConfig, match=r"--log mlflow needs mlflow: .*pseudo-outlier-study\[tracking\]"):
        require_packages([Tool.MLFLOW])
    require_packages([])


def test_every_tool_has_its_package() -> None:
    assert set(tracking._NEEDED) == set(Tool)


def test_a_training_is_seen_by_number_and_by_what_it_changes(tmp_path: Path) -> None:
    seen = Seen.of(_trial(), tmp_path, BASE)
    assert str(seen) == "00003"
    assert seen.config["loss.alpha"] == 0.3
    assert seen.config["synthesis.mask.kind"] == "circle"
    assert "training.epochs" not in seen.config
    assert seen == Seen.of(_trial(), tmp_path, BASE)
    assert seen != Seen.of(_trial(4), tmp_path, BASE)


def test_an_epoch_becomes_figures_and_a_failure_none(tmp_path: Path) -> None:
    logger = TensorBoard(tmp_path, "search", BASE)
    logger.log_trial_start(_trial())
    logger.log_trial_result(1, _trial(), {"epoch": 1, "objective": 0.4, "figures": json.dumps({"loss": 0.5})})
    seen = Seen.of(_trial(), logger.folder, BASE)
    assert logger.figures(seen, {"failed": "out of memory"}) == {}
    assert logger.failed == {3}
    assert logger.figures(seen, {"halted": "full disk"}) == {}
    logger.log_trial_end(_trial())
    (events,) = (tmp_path / "search" / "00003").glob("events.out.tfevents.*")
    assert b"ray/tune/objective" in events.read_bytes()
    assert b"ray/tune/loss" in events.read_bytes()
