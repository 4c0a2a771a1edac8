"""What TensorBoard and MLflow are told: trainings by their own names and settings, in place of Tune's trials.

They are for looking, and end no study: one that refuses what it is told is named once, and told no more.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from ray.air.constants import TRAINING_ITERATION

from core.config import Config, differences, from_dict
from core.console import err
from core.mirror import publish
from study.folder import training_name
from study.trainable import FAILED, VALUE


@dataclass(frozen=True)
class LoggedTraining:
    """A training as the tools see it, in place of Tune's trial. settings: what it changes, by dotted path."""

    number: int
    local_path: str
    settings: dict[str, Any] = field(compare=False)

    @classmethod
    def of(cls, trial: Any, folder: Path, base: Config) -> "LoggedTraining":
        """The training of a Tune trial; its files lie in a subfolder of `folder` named by its number."""
        number = trial.config["number"]
        return cls(number, str(folder / training_name(number)), differences(from_dict(trial.config["config"]), base))

    def __str__(self) -> str:
        return training_name(self.number)

    @property
    def config(self) -> dict[str, Any]:
        """Where MLflow's callback looks for settings."""
        return self.settings

    @property
    def evaluated_params(self) -> dict[str, Any]:
        """Where TensorBoard's callback looks for settings."""
        return self.settings

    def init_local_path(self) -> None:
        """TensorBoard's callback asks for its folder, which the writer then makes itself."""


def tolerated(call: Callable[..., None]) -> Callable[..., None]:
    """A method of TrainingLogger, such that whatever the tool refuses ends the telling alone."""

    @wraps(call)
    def telling(self: "TrainingLogger", *words: Any, **more: Any) -> None:
        if self.refused:
            return
        try:
            call(self, *words, **more)
        except Exception as error:  # noqa: BLE001  each tool has errors of its own
            self.refused = True
            why = next(iter(str(error).splitlines()), type(error).__name__)
            told = f"--log {self.tool}: {why}; nothing more of this phase is logged, and the study goes on"
            err.print(told, style="yellow", markup=False)

    return telling


class TrainingLogger:
    """Goes before a logger callback of Ray: hands it trainings as LoggedTraining, and each epoch's figures by name.

    tool: as --log names it. refused: whether it is told no more.
    """

    tool: str
    target: Path
    folder: Path
    base: Config
    failed: set[int]
    refused = False

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune saves its callbacks for restores of its own, which a study never does

    @tolerated
    def setup(self, *words: Any, **more: Any) -> None:
        """Before the first training."""
        super().setup(*words, **more)  # type: ignore[misc]

    @tolerated
    def log_trial_start(self, trial: Any) -> None:
        """A training was handed to a worker, or goes on."""
        super().log_trial_start(LoggedTraining.of(trial, self.folder, self.base))  # type: ignore[misc]

    @tolerated
    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:
        """An epoch was scored, or the training failed."""
        training = LoggedTraining.of(trial, self.folder, self.base)
        figures = self.figures(training, result)
        if figures:
            epoch = result["epoch"]
            super().log_trial_result(epoch, training, figures | {TRAINING_ITERATION: epoch})  # type: ignore[misc]

    def figures(self, training: LoggedTraining, result: dict[str, Any]) -> dict[str, float]:
        """The figures of an epoch by name; none in a result that tells of a failure, which is noted."""
        if FAILED in result:
            self.failed.add(training.number)
        return {VALUE: result[VALUE], **json.loads(result["figures"])} if VALUE in result else {}

    @tolerated
    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        """The training ended."""
        training = LoggedTraining.of(trial, self.folder, self.base)
        super().log_trial_end(training, failed or training.number in self.failed)  # type: ignore[misc]

    @tolerated
    def on_experiment_end(self, trials: list[Any], **_info: Any) -> None:
        """Upload what was written, where the study lies on object storage."""
        if self.target.exists():
            publish(self.target)
