"""MLflow runs, one per training, in an SQLite file: `mlflow ui --backend-store-uri sqlite:///runs/NAME/mlflow.db`."""

import logging
import os
import time
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric
from ray.air.integrations.mlflow import MLflowLoggerCallback

from core.config import Config
from study.training_logger import LoggedTraining, TrainingLogger, tolerated

logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of every table that it makes
logging.getLogger("alembic").setLevel(logging.WARNING)


class MLflow(TrainingLogger, MLflowLoggerCallback):
    """Writes one experiment of this name into FILE, or to the server that MLFLOW_TRACKING_URI names."""

    tool = "mlflow"

    def __init__(self, file: Path, experiment: str, base: Config) -> None:
        where = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{file.resolve()}"
        super().__init__(tracking_uri=where, experiment_name=experiment)
        self.target, self.folder, self.base, self.failed = file, file.parent, base, set()

    @tolerated
    def log_trial_start(self, trial: Any) -> None:
        """Go on with the run of a training that was interrupted; what it trains again has the same values."""
        training = LoggedTraining.of(trial, self.folder, self.base)
        if training not in self._trial_runs:
            experiment = str(self.mlflow_util.experiment_id)
            for run in self._client().search_runs([experiment], f"tags.trial_name = '{training}'"):
                self._trial_runs[training] = run.info.run_id
        super().log_trial_start(trial)

    @tolerated
    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:
        """All figures of an epoch at once: one by one, they would take a second of the driver's time."""
        training = LoggedTraining.of(trial, self.folder, self.base)
        figures = self.figures(training, result)
        if figures:
            now = int(time.time() * 1000)
            metrics = [Metric(name, value, now, result["epoch"]) for name, value in figures.items()]
            self._client().log_batch(self._trial_runs[training], metrics=metrics)

    def _client(self) -> MlflowClient:
        return MlflowClient(tracking_uri=self.tracking_uri)
