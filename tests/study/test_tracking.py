"""What --log hands to the tools; that they record it is tested with a real search, in test_search_end_to_end.py."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.config import Config, override, to_dict
from core.errors import BadConfig
from study import tracking, training_logger
from study.mlflow_logger import MLflow
from study.options import Tool
from study.tensorboard_logger import TensorBoard
from study.tracking import require_packages
from study.training_logger import LoggedTraining, TrainingLogger

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
    training = LoggedTraining.of(_trial(), tmp_path, BASE)
    assert str(training) == "00003"
    assert training.config["loss.alpha"] == 0.3
    assert training.config["synthesis.mask.kind"] == "circle"
    assert "training.epochs" not in training.config
    assert training == LoggedTraining.of(_trial(), tmp_path, BASE)
    assert training != LoggedTraining.of(_trial(4), tmp_path, BASE)


def test_an_epoch_becomes_figures_and_a_failure_none(tmp_path: Path) -> None:
    logger = TensorBoard(tmp_path, "search", BASE)
    logger.log_trial_start(_trial())
    logger.log_trial_result(1, _trial(), {"epoch": 1, "objective": 0.4, "figures": json.dumps({"loss": 0.5})})
    training = LoggedTraining.of(_trial(), logger.folder, BASE)
    assert logger.figures(training, {"failed": "out of memory"}) == {}
    assert logger.failed == {3}
    assert logger.figures(training, {"halted": "full disk"}) == {}
    logger.log_trial_end(_trial())
    (events,) = (tmp_path / "search" / "00003").glob("events.out.tfevents.*")
    assert b"ray/tune/objective" in events.read_bytes()
    assert b"ray/tune/loss" in events.read_bytes()


class _Locked:
    """In place of one of Ray's callbacks."""

    asked = 0

    def log_trial_start(self, training: LoggedTraining) -> None:
        self.asked += 1
        raise RuntimeError("database is locked [sqlite]\n[SQL: SELECT ...]")

    def log_trial_result(self, iteration: int, training: LoggedTraining, figures: dict[str, float]) -> None:
        self.asked += 1

    def log_trial_end(self, training: LoggedTraining, failed: bool) -> None:
        self.asked += 1


class _Tool(TrainingLogger, _Locked):
    tool, base = "mlflow", BASE


def test_a_tool_that_refuses_is_named_once_and_ends_no_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = _Tool()
    tool.folder, tool.failed = tmp_path, set()
    for number in (3, 4):
        tool.log_trial_start(_trial(number))
        tool.log_trial_result(1, _trial(number), {"epoch": 1, "objective": 0.4, "figures": "{}"})
        tool.log_trial_end(_trial(number))
    tool.on_experiment_end([])
    assert tool.asked == 1
    assert capsys.readouterr().err == (
        "--log mlflow: database is locked [sqlite]; nothing more of this phase is logged, and the study goes on\n"
    )


class _Recorded:
    """In place of one of Ray's callbacks."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def setup(self, **more: Any) -> None:
        self.told.append(("setup", more))

    def log_trial_start(self, training: LoggedTraining) -> None:
        self.told.append(("start", training.number))

    def log_trial_result(self, iteration: int, training: LoggedTraining, figures: dict[str, float]) -> None:
        self.told.append((iteration, training.number, figures))

    def log_trial_end(self, training: LoggedTraining, failed: bool) -> None:
        self.told.append(("failed" if failed else "ended", training.number))


class _Recorder(TrainingLogger, _Recorded):
    tool, base = "mlflow", BASE


def test_a_tool_is_told_of_epochs_and_of_each_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = _Recorder()
    tool.folder, tool.failed, tool.target = tmp_path, set(), tmp_path / "mlflow.db"
    tool.setup(stop=None)
    for number, result in ((3, {"failed": "out of memory"}), (4, {"halted": "full disk"})):
        tool.log_trial_start(_trial(number))
        tool.log_trial_result(7, _trial(number), {"epoch": 2, "objective": 0.4, "figures": '{"loss": 0.5}'})
        tool.log_trial_result(8, _trial(number), result)
        tool.log_trial_end(_trial(number))
    tool.log_trial_end(_trial(5), failed=True)
    figures = {"objective": 0.4, "loss": 0.5, "training_iteration": 2}  # epochs count, also after a restart
    assert tool.told == [
        ("setup", {"stop": None}),
        ("start", 3), (2, 3, figures), ("failed", 3),
        ("start", 4), (2, 4, figures), ("ended", 4),
        ("failed", 5),
    ]  # fmt: skip
    assert not tool.refused
    uploaded: list[Path] = []
    monkeypatch.setattr(training_logger, "publish", uploaded.append)
    tool.on_experiment_end([])
    tool.target.touch()
    tool.on_experiment_end([])
    assert uploaded == [tool.target]


def test_what_mlflow_is_told_in_a_way_of_its_own_ends_no_study_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(_: MLflow) -> None:
        raise ConnectionError("the server is away")

    monkeypatch.setattr(MLflow, "_client", away)
    result = {"epoch": 1, "objective": 0.4, "figures": "{}"}
    for call in (lambda tool: tool.log_trial_start(_trial()), lambda tool: tool.log_trial_result(1, _trial(), result)):
        tool = MLflow(tmp_path / "mlflow.db", "mine/search", BASE)
        tool._trial_runs, tool.mlflow_util = {}, SimpleNamespace(experiment_id=1)
        call(tool)
        assert capsys.readouterr().err.startswith(
            "--log mlflow: the server is away; nothing more of this phase is logged"
        )
