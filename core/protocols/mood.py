"""Folders of predictions by the rules of the MOOD challenge's public scorer (scripts/evalresults.py, 2020 and 2021).

Pixel level: labels are rounded, and 1 or more is anomalous; predictions are read as float16 and clipped to [0, 1];
shapes are equal, nothing is resampled, affines do not matter; voxels of all cases are pooled. Sample level: the first
line of `<name>.nii.gz.txt`, clipped. The figure is average precision; AUROC, figures per case and intervals are ours.

That scorer counts a missing, unreadable or misshapen prediction as zeros without a word, and NaN ends it. Here each is
a mistake that is named. Since 2022 the challenge scores its second task by object, with a scorer that is not public.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from core.bootstrap import pixel_interval, sample_interval
from core.errors import BadInput
from core.intervals import Interval
from core.metrics import Ranking, ScoreHistogram, pooled, rank
from core.protocols.mood_cases import read_pair, read_sample
from core.results import QUANTITIES
from core.slices.files import NIFTI_SUFFIXES, printable

Level = Literal["pixel", "sample"]


def score_folder(predictions: Path, labels: Path, level: str) -> dict[str, Any]:
    """Every case that has a label, as plain data: the pooled figures with 95 % intervals over cases, and each case.

    Raises BadInput on another level, a folder without cases, labels without an anomaly, or a file that cannot be used.
    """
    if level not in get_args(Level):
        raise BadInput(f"--level {level!r}: expected {' or '.join(get_args(Level))}")
    pairs = dict(_pairs(predictions, labels, NIFTI_SUFFIXES if level == "pixel" else (".txt",)))
    ranking, intervals, cases = _pixels(pairs) if level == "pixel" else _samples(pairs)
    if ranking.average_precision is None:
        raise BadInput(f"{labels}: none of {len(pairs)} cases holds an anomaly, so there is nothing to rank")
    return {
        "protocol": "mood",
        "level": level,
        "predictions": str(predictions),
        "labels": str(labels),
        "pooled": _figures(ranking),
        "intervals": {name: asdict(found) for name, found in intervals.items() if found is not None},
        "cases": cases,
    }


def _pixels(pairs: Mapping[str, tuple[Path, Path]]) -> tuple[Ranking, dict[str, Interval | None], list[dict[str, Any]]]:
    """Histograms keep all values of float16 apart, so figures are exact although no voxel is held."""
    histograms = {name: ScoreHistogram() for name in pairs}
    for name, (prediction, label) in pairs.items():
        for scores, anomalous in read_pair(prediction, label):
            histograms[name].add(scores, anomalous)
    intervals: dict[str, Interval | None] = {name: pixel_interval([histograms], name) for name in QUANTITIES}
    cases = [{"name": name, **_figures(histogram.ranking())} for name, histogram in histograms.items()]
    return pooled(histograms.values()).ranking(), intervals, cases


def _samples(
    pairs: Mapping[str, tuple[Path, Path]],
) -> tuple[Ranking, dict[str, Interval | None], list[dict[str, Any]]]:
    read = {name: read_sample(prediction, label) for name, (prediction, label) in pairs.items()}
    scores, truth = np.array([score for score, _ in read.values()]), np.array([label for _, label in read.values()])
    # Places in the order, which float32 holds where it would merge scores.
    places = np.unique(scores, return_inverse=True)[1].astype(np.float32)
    cases = {name: (places[row : row + 1], truth[row : row + 1]) for row, name in enumerate(read)}
    intervals: dict[str, Interval | None] = {name: sample_interval([cases], name) for name in QUANTITIES}
    told = [{"name": name, "score": score, "anomalous": label} for name, (score, label) in read.items()]
    return rank(scores, truth), intervals, told


def _figures(ranking: Ranking) -> dict[str, Any]:
    return asdict(ranking) | {"prevalence": ranking.prevalence}


def _pairs(predictions: Path, labels: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[str, tuple[Path, Path]]]:
    """Prediction and label by name, for each label; predictions without a label are not scored.

    A name that cannot be printed is escaped.
    """
    for folder in (predictions, labels):
        if not folder.is_dir():
            raise BadInput(f"{folder}: no such folder")
    names = sorted(path.name for path in labels.iterdir() if path.name.endswith(suffixes) and path.name[0] != ".")
    if not names:
        raise BadInput(f"{labels}: holds no label, expected files that end in {' or '.join(suffixes)}")
    for name in names:
        if not (predictions / name).is_file():
            raise BadInput(f"{predictions / name}: no such prediction, although {labels} has its label")
        yield printable(name), (predictions / name, labels / name)
