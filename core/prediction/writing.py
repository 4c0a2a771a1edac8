"""What a prediction leaves on disk: NIfTI files that lie where the scan lies, and rows for tables."""

import csv
import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.durable import replacing
from core.prediction.volume import RULES, Prediction, Rule, opened
from core.scores import SCORES
from core.slices.geometry import ORDER

VOLUME_COLUMNS = ("volume", "score", *RULES, "slices", "voxels_above_threshold")
SLICE_COLUMNS = ("volume", "detector", "plane", "slice_index", "axis_in_file", "index_in_file", *SCORES)
_SPEED = 1  # of 9; maps of noise hardly become smaller with more


def write_nifti(path: Path, like: Path, voxels: NDArray[np.generic], says: str) -> None:
    """Write voxels (x,y,z) in the order of the scan `like`, with its shape, affines and units; .nii or .nii.gz.

    says: what the values are, at most 79 characters, for the header's description.
    """
    scan = opened(like)
    header = scan.header.copy()
    header.set_data_dtype(voxels.dtype)
    header.set_slope_inter(1.0, 0.0)
    header["cal_min"], header["cal_max"] = 0, 1
    header["descrip"] = says.encode()
    # Without an affine of our own, qform and sform stay as they are, with their codes.
    image = type(scan)(voxels.reshape(scan.shape), None, header)
    with replacing(path) as temporary, temporary.open("wb") as file:
        if path.name.lower().endswith(".gz"):
            # No name and no time, so that the same scan gives the same bytes.
            with gzip.GzipFile("", "wb", _SPEED, file, mtime=0) as packed:
                image.to_stream(packed)
        else:
            image.to_stream(file)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


def volume_row(name: str, prediction: Prediction, rule: Rule) -> list[object]:
    """The values of VOLUME_COLUMNS."""
    threshold = prediction.threshold()
    above = "" if threshold is None else int(np.count_nonzero(prediction.map >= threshold))
    scores = {each: prediction.volume_score(each) for each in RULES}
    slices = sum(len(found.index) for found in prediction.found)
    return [name, scores[rule], *scores.values(), slices, above]


def slice_rows(name: str, prediction: Prediction) -> list[list[object]]:
    """The values of SLICE_COLUMNS for every slice that was scored."""
    rows: list[list[object]] = []
    for found in prediction.found:
        plane = found.predictor.preprocessing.plane
        axis = int(np.flatnonzero(prediction.axes[:, 0] == ORDER[plane][2])[0])
        last = prediction.map.shape[axis] - 1
        for n, k in enumerate(found.index.tolist()):
            place = k if prediction.axes[axis, 1] > 0 else last - k
            scores = [float(found.scores[each][n]) for each in SCORES]
            rows.append([name, found.predictor.name, plane, k, "ijk"[axis], place, *scores])
    return rows
