"""--log: every epoch for TensorBoard or MLflow as well, through Ray Tune's own callbacks, into the study's folder.

They are for looking; a study never reads them. Nothing leaves the machine unless MLFLOW_TRACKING_URI names a server.
"""

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from ray.tune import Callback

from core.config import Config
from core.errors import BadConfig
from study.folder import StudyFolder

_NEEDED = {"tensorboard": "tensorboardX", "mlflow": "mlflow"}


def require_packages(tools: Sequence[str]) -> None:
    """Raise BadConfig when a tool's package is not installed, before anything is spent."""
    for tool in tools:
        if find_spec(_NEEDED[tool]) is None:
            raise BadConfig(
                f"--log {tool} needs {_NEEDED[tool]}: {sys.executable} -m pip install 'pseudo-outlier-study[tracking]'"
            )


def loggers(tools: Sequence[str], folder: StudyFolder, phase: str, base: Config) -> list[Callback]:
    """Tune's callbacks for these tools, for one phase of a study."""
    made: list[Callback] = []
    for tool in dict.fromkeys(tools):
        if tool == "tensorboard":
            from study.tensorboard_logger import TensorBoard

            made.append(TensorBoard(folder.root / "tensorboard", phase, base))
        else:
            # Read when mlflow is imported, which would otherwise tell its makers that it is used.
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            from study.mlflow_logger import MLflow

            made.append(MLflow(folder.root / "mlflow.db", f"{folder.name}/{phase}", base))
    return made
