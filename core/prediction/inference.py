"""What a detector needs to be used on scans, in `inference.json` beside its weights.

    preprocessing   of the table it was trained on: without it, scans would look different from what it knows
    calibration     the scale of its anomaly maps, set on the probe
    threshold       the logit with the best Dice on the probe
    weights         the digest of model.safetensors, since calibration and threshold are true of these weights alone
    trained         digests of the subjects that it was trained on, which are no names: a detector may be given away

`core.train --best` writes it. For older detectors, or those trained without a study, it is made from the tables.
"""

import hashlib
import json
import math
from collections.abc import Collection, Iterable
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
    """preprocessing: None where the table does not tell. calibration, threshold (a logit): None without a probe.

    trained: see `digests`; empty where it is not known.
    """

    preprocessing: Preprocessing | None
    calibration: Calibration | None = None
    threshold: float | None = None
    trained: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: SliceTable, on_probe: Evaluation | None = None, trained: Collection[str] = ()) -> "Inference":
        """From the training table, the detector's result on a probe, and the subjects that it was trained on.

        Healthy slices alone give no threshold.
        """
        preprocessing, subjects = _preprocessing(table.metadata.preprocessing, str(table.path)), digests(trained)
        if on_probe is None:
            return cls(preprocessing, trained=subjects)
        pixels = pooled(on_probe.frame.values())
        threshold = pixels.best_dice()[0] if pixels.counts[:, 1].any() else None
        return cls(preprocessing, Calibration.of(on_probe), threshold, subjects)

    def require_unseen(self, table: SliceTable, role: str) -> None:
        """Raise BadInput when the detector was trained on subjects of this table. role: what the table is for."""
        trained = set(self.trained)
        if seen := [subject for subject in table.subjects if digests([subject])[0] in trained]:
            more = f" and {len(seen) - 1} more" if len(seen) > 1 else ""
            raise BadInput(
                f"{table.path}: the detector was trained on subject {seen[0]!r}{more}, expected a {role} of others"
            )


def digests(subjects: Iterable[str]) -> tuple[str, ...]:
    """16 hexadecimal digits for each subject's key, in order of the digits."""
    return tuple(sorted(hashlib.blake2b(subject.encode(), digest_size=8).hexdigest() for subject in subjects))


def save_inference(folder: Path, inference: Inference) -> None:
    """Write `inference.json` beside the weights, which must be there already."""
    content = {
        "format": FORMAT,
        "weights": _digest(folder),
        "preprocessing": asdict(inference.preprocessing) if inference.preprocessing else None,
        "calibration": inference.calibration.to_dict() if inference.calibration else None,
        "threshold": inference.threshold,
        "trained": inference.trained,
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
        calibration = _calibration(knots, address(path)) if knots else None
        preprocessing = _preprocessing(content["preprocessing"] or {}, address(path))
        trained = tuple(map(str, content.get("trained", ())))  # older ones do not tell
    except (ValueError, KeyError, TypeError, AttributeError) as damaged:
        mended = "core.predict makes it anew of --train and --probe"
        raise BadInput(f"{address(path)}: cannot be read ({damaged!r}); {mended}") from None
    if weights != _digest(folder):
        raise BadInput(f"{address(path)}: belongs to other weights than model.safetensors beside it; remove it")
    return Inference(preprocessing, calibration, threshold, trained)


def _preprocessing(recorded: dict[str, Any], where: str) -> Preprocessing | None:
    try:
        return Preprocessing(**recorded) if recorded else None
    except (TypeError, BadConfig) as wrong:
        raise BadInput(f"{where}: its preprocessing is not one that this version knows ({wrong})") from None


def _calibration(recorded: dict[str, Any], where: str) -> Calibration:
    try:
        return Calibration(tuple(recorded["logits"]), tuple(recorded["values"]))
    except BadInput as wrong:
        raise BadInput(f"{where}: {wrong}") from None


def _digest(folder: Path) -> str:
    with fetch(folder / "model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
