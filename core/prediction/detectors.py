"""From a detector's folder to a predictor; what an older detector lacks is made from its study or from tables."""

from dataclasses import replace
from pathlib import Path

import torch

from core.best import find_best
from core.checkpoint import load_detector
from core.config import Config
from core.device import uses_bf16
from core.errors import BadInput
from core.evaluation import evaluate, scorer_of
from core.halving import require_halving
from core.mirror import address, fetch
from core.prediction.inference import NAME, Inference, load_inference, save_inference
from core.prediction.volume import Predictor
from core.slices.table import SliceTable, open_table


def open_detector(
    folder: Path, device: torch.device, *, table: Path | None = None, probe: Path | None = None
) -> Predictor:
    """A detector ready for scans.

    table: its training table, probe: a probe or held-out healthy slices; given, they replace what inference.json says,
    and it is written again. Without either, a detector in a study's folder is completed from the study's tables.
    Raises BadInput when it does not come to be known how its slices were made, or the scale of its maps, and when it
    was trained on subjects of the probe.
    """
    detector, config = load_detector(folder, device)
    known = _known(folder, anew=table is not None and probe is not None)
    if known is None or known.calibration is None or known.preprocessing is None or table or probe:
        before = known or Inference(None)
        slices, healthy = _tables(folder, table, probe, before)
        made = Inference.of(slices).preprocessing if slices else before.preprocessing
        if made is None:
            named = f"{slices.path} does not tell" if slices else f"there is no {NAME}"
            raise BadInput(f"{address(folder)}: how its slices were made is not known ({named}); name its --train")
        if healthy is None and before.calibration is None:
            raise BadInput(
                f"{address(folder)}: its maps have no scale yet; name a --probe, or a table of healthy slices "
                "that it was not trained on"
            )
        require_halving(config, made.side, made.side)
        known = replace(before, preprocessing=made)
        if healthy is not None:
            known.require_unseen(healthy, "probe")
            measured = _measured(detector, config, healthy, made.side, device)
            known = replace(known, calibration=measured.calibration, threshold=measured.threshold)
        save_inference(folder, known)
    return Predictor.of(address(folder), detector, config, known, device)


def _known(folder: Path, *, anew: bool) -> Inference | None:
    """What its inference.json tells. anew: all of that is to be replaced, so a damaged one does no harm."""
    try:
        return load_inference(folder)
    except BadInput:
        if anew:
            return None
        raise


def _tables(
    folder: Path, table: Path | None, probe: Path | None, known: Inference
) -> tuple[SliceTable | None, SliceTable | None]:
    """The training table and the probe, as given, else the study's where they are needed."""
    train, healthy = (None if path is None else open_table(path) for path in (table, probe))
    if fetch(folder.parent / "best.json").is_file():
        best = find_best(str(folder.parent))
        train = train or (best.table("train") if known.preprocessing is None else None)
        healthy = healthy or (best.table("probe") if known.calibration is None else None)
    return train, healthy


def _measured(
    detector: torch.nn.Module, config: Config, probe: SliceTable, side: int, device: torch.device
) -> Inference:
    if probe.height != side:
        raise BadInput(f"{probe.path}: slices of {probe.height} pixels, expected {side} as the detector was trained on")
    found = evaluate(scorer_of(detector, bf16=uses_bf16(config.training, device)), probe, device=device)
    return Inference.of(probe, found)
