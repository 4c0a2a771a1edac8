"""How long a training takes here: from trainings that a study has recorded, or from two batches trained now."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from core.config import Config
from core.device import choose_device, uses_bf16
from core.evaluation import scorer_of
from core.metrics import ScoreHistogram
from core.scores import sample_scores
from core.slices.table import SliceTable
from core.training import train
from study.planning import Part
from study.records import TrialRecord

_BATCHES = 2
_SCORED = 32  # slices that are scored to learn how long one takes


class Hours(NamedTuple):
    """Of one process at a time. least and most: see Part. seconds: of one epoch with its scoring."""

    name: str
    seconds: float
    least: float
    most: float


def hours(parts: tuple[Part, ...], seconds: Mapping[str, float]) -> list[Hours]:
    """The hours of each part from the seconds of an epoch by its name."""
    return [
        Hours(
            part.name, seconds[part.name], part.least * seconds[part.name] / 3600, part.most * seconds[part.name] / 3600
        )
        for part in parts
    ]


def recorded(trials: tuple[TrialRecord, ...]) -> float | None:
    """Mean seconds of an epoch with its scoring over all epochs of these trials; None where there are none."""
    spent = [
        figures["seconds"] + figures.get("evaluation_seconds", 0.0)
        for trial in trials
        for figures in trial.figures.values()
        if "seconds" in figures
    ]
    return float(np.mean(spent)) if spent else None


def measured(config: Config, table: SliceTable, rows: NDArray[np.intp], scored: int, threads: int) -> float:
    """Seconds of an epoch on these rows of a table, scored on so many slices, measured by training two batches twice.

    The second pass counts: the first one pays for what torch prepares. rows: those of a full epoch.
    """
    torch.set_num_threads(threads)
    device = choose_device()
    few = rows[: _BATCHES * config.training.batch]
    short = replace(config, training=replace(config.training, epochs=2))
    *_, last = train(short, table, seed=0, rows=few, device=str(device))
    training = last.seconds * len(rows) / len(few)
    images = np.ascontiguousarray(table.images(rows[:_SCORED]))
    scorer = scorer_of(last.detector, bf16=uses_bf16(config.training, device))
    pixels = torch.from_numpy(images).to(device).float() / 255
    with torch.inference_mode():
        scorer(pixels[:1])
        started = time.perf_counter()
        maps = scorer(pixels).float()
        sample_scores(maps, pixels)
        ScoreHistogram().add(maps.cpu().numpy(), images > 127)
    return training + (time.perf_counter() - started) * scored / len(images)
