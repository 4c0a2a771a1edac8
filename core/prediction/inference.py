"""What a detector needs to be used on scans, in `inference.json` beside its weights.

    preprocessing   of the table it was trained on: without it, scans would look different from what it knows
    calibration     the scale of its anomaly maps, set on the probe
    threshold       the logit with the best Dice on the probe
    weights         the digest of model.safetensors, since calibration and threshold are true of these weights alone

`core.train --best` writes it. For older detectors, or those trained without a study, it is made from the tables.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.durable import write_json
from core.errors import BadConfig, BadInput
from core.evaluation import Evaluation
from core.metrics import pooled
from core.mirror import address, fetch
from core.prediction.calibration import Calibration
from core.slices.preprocess import Preprocessing
from core.slices.table import SliceTable

NAME = "inference.json"
FORMAT = 1


@dataclass(frozen=True)
class Inference:
    """preprocessing: None where the table does not tell. calibration, threshold (a logit): None without a probe."""

    preprocessing: Preprocessing | None
    calibration: Calibration | None = None
    threshold: float | None = None

    @classmethod
    def of(cls, table: SliceTable, on_probe: Evaluation | None = None) -> "Inference":
        """From the training table and the detector's result on a probe; healthy slices alone give no threshold."""
        preprocessing = _preprocessing(table.metadata.preprocessing, str(table.path))
        if on_probe is None:
            return cls(preprocessing)
        pixels = pooled(on_probe.frame.values())
        threshold = pixels.best_dice()[0] if pixels.counts[:, 1].any() else None
        return cls(preprocessing, Calibration.of(on_probe), threshold)


def save_inference(folder: Path, inference: Inference) -> None:
    """Write `inference.json` beside the weights, which must be there already."""
    content = {
        "format": FORMAT,
        "weights": _digest(folder),
        "preprocessing": asdict(inference.preprocessing) if inference.preprocessing else None,
        "calibration": inference.calibration.to_dict() if inference.calibration else None,
        "threshold": inference.threshold,
    }
    write_json(folder / NAME, content)


def load_inference(folder: Path) -> Inference | None:
    """What `save_inference` wrote, or None. Raises BadInput when it is damaged, or of other weights."""
    path = fetch(folder / NAME)
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise BadInput(f"{address(path)}: has format {content['format']}, expected {FORMAT}")
        weights, knots, threshold = content["weights"], content["calibration"], content["threshold"]
        threshold = None if threshold is None else float(threshold)
        if threshold is not None and math.isnan(threshold):
            raise ValueError("a threshold of NaN")
        calibration = Calibration(tuple(knots["logits"]), tuple(knots["values"])) if knots else None
        preprocessing = _preprocessing(content["preprocessing"] or {}, address(path))
    except (ValueError, KeyError, TypeError, AttributeError) as damaged:
        raise BadInput(f"{address(path)}: cannot be read ({damaged!r}); core.predict --train makes it anew") from None
    if weights != _digest(folder):
        raise BadInput(f"{address(path)}: belongs to other weights than model.safetensors beside it; remove it")
    return Inference(preprocessing, calibration, threshold)


def _preprocessing(recorded: dict[str, Any], where: str) -> Preprocessing | None:
    try:
        return Preprocessing(**recorded) if recorded else None
    except (TypeError, BadConfig) as wrong:
        raise BadInput(f"{where}: its preprocessing is not one that this version knows ({wrong})") from None


def _digest(folder: Path) -> str:
    with fetch(folder / "model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
