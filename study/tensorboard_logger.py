"""TensorBoard's event files, one folder per training: `tensorboard --logdir runs/NAME/tensorboard`."""

from pathlib import Path

from ray.tune.logger import TBXLoggerCallback

from core.config import Config
from study.training_logger import TrainingLogger


class TensorBoard(TrainingLogger, TBXLoggerCallback):
    """Writes FOLDER/PHASE/NUMBER; one scalar per figure and epoch, and the settings as hyperparameters."""

    tool = "tensorboard"

    def __init__(self, folder: Path, phase: str, base: Config) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.target, self.folder, self.base, self.failed = folder, folder / phase, base, set()
