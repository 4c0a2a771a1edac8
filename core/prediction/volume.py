"""One scan through one or more detectors: its anomaly map in the scan's own space, and its scores.

Each detector sees the slices of the plane that it was trained on. Maps of several detectors, such as one per plane, are
calibrated and averaged in the scan's space. A scan's result depends on nothing but the scan and the detectors.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import nibabel as nib
import numpy as np
import torch
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray
from torch import nn

from core.config import Config, ScoreName
from core.device import uses_bf16
from core.errors import BadInput, BadVolume
from core.evaluation import Scorer, scorer_of
from core.prediction.calibration import RARE, Calibration
from core.prediction.inference import Inference
from core.scores import SCORES, sample_scores
from core.slices.frame_edge import edge_share
from core.slices.geometry import Frame, turned, upright
from core.slices.nifti import load_nifti, read_volume
from core.slices.preprocess import Preprocessing, every_slice

Rule = Literal["mean", "max_slice", "top_slices"]
"""How the scores of a scan's slices become one: their mean, their maximum, or the mean of the highest tenth of them."""
RULES: tuple[Rule, ...] = get_args(Rule)
_BATCH = 32
_orientations: Any = nib.orientations  # untyped


@dataclass(frozen=True, eq=False)
class Predictor:
    """A detector ready for scans of one plane."""

    name: str
    scorer: Scorer
    preprocessing: Preprocessing
    calibration: Calibration
    threshold: float | None
    score: ScoreName
    device: torch.device

    @classmethod
    def of(
        cls, name: str, detector: nn.Module, config: Config, inference: Inference, device: torch.device
    ) -> "Predictor":
        """Raises BadInput when preprocessing or calibration are not known."""
        if inference.preprocessing is None or inference.calibration is None:
            lacking = "how its slices were made" if inference.preprocessing is None else "the scale of its maps"
            raise BadInput(f"{name}: does not tell {lacking}")
        scorer = scorer_of(detector, bf16=uses_bf16(config.training, device))
        known = inference.preprocessing, inference.calibration, inference.threshold
        return cls(name, scorer, *known, config.score, device)


@dataclass(frozen=True, eq=False)
class Slices:
    """What one detector found in the slices of one plane, in the order of `index`.

    index: (n,) place along the plane's axis, counted from the feet, the back or the left. images: (n, side, side)
    uint8. values: (n, side, side) float32, the calibrated map. scores: each (n,) float32 in [0, 1].
    """

    predictor: Predictor
    index: NDArray[np.intp]
    images: NDArray[np.uint8]
    values: NDArray[np.float32]
    scores: dict[ScoreName, NDArray[np.float32]]

    def volume_score(self, rule: Rule) -> float:
        """One score in [0, 1] from the slice score that the detector's study chose."""
        ranked = np.sort(self.scores[self.predictor.score].astype(np.float64))[::-1]
        kept = {"mean": len(ranked), "max_slice": 1, "top_slices": max(1, round(len(ranked) / 10))}[rule]
        return float(ranked[:kept].mean())


@dataclass(frozen=True, eq=False)
class Prediction:
    """path: the scan. map: (x,y,z) float32 in the file's own order. found: per detector; one that scored no slice
    at a voxel counts as 0 there.

    axes: the file's axes, as in nibabel's orientations: (3, 2), canonical axis and direction of each.
    """

    path: Path
    map: NDArray[np.float32]
    found: tuple[Slices, ...]
    axes: NDArray[np.float64]

    def volume_score(self, rule: Rule) -> float:
        """The mean of the detectors' volume scores."""
        return float(np.mean([slices.volume_score(rule) for slices in self.found]))

    def rare(self) -> float:
        """Share of the tissue, 0 to 1, with a value that one healthy pixel in a hundred exceeds; the largest of all
        detectors'."""
        return max(float(np.mean(slices.values[slices.images > 0] > RARE)) for slices in self.found)

    def edge(self) -> float:
        """Share of the edge of the slices, 0 to 1, that counts as tissue; the largest of all detectors'."""
        return max(edge_share(slices.images) for slices in self.found)

    def threshold(self) -> float | None:
        """On the scale of the map, the mean of the detectors' thresholds; None where one has none."""
        each = [
            None if one.predictor.threshold is None else float(one.predictor.calibration(one.predictor.threshold))
            for one in self.found
        ]
        return None if None in each else float(np.mean([value for value in each if value is not None]))


def predict_volume(path: Path, predictors: list[Predictor]) -> Prediction:
    """Read a scan and score all its slices that hold tissue. Raises BadVolume when it cannot be used."""
    image = read_volume(path)
    axes = _axes(path)
    shape, spacing = image.voxels.shape, image.spacing
    cut = [every_slice(image, predictor.preprocessing) for predictor in predictors]
    del image  # a map is as large, and both need not be held at once
    found = tuple(_scored(one, *slices, path) for one, slices in zip(predictors, cut, strict=True))
    stored = np.zeros([shape[int(axis)] for axis in axes[:, 0]], np.float32, order="F")
    canonical = _orientations.apply_orientation(stored, axes)  # a view: what is written there lies in the file's order
    if canonical.shape != shape or not np.shares_memory(canonical, stored):
        raise BadVolume(f"{path}: its axes cannot be told, expected three that its affine keeps apart")
    for slices in found:
        settings = slices.predictor.preprocessing
        along = turned(canonical, settings.plane)
        frame = Frame.of(shape, spacing, settings.plane)
        for k, values in zip(slices.index, slices.values, strict=True):
            upright(along[:, :, k])[...] += frame.back(values) / np.float32(len(found))
    return Prediction(path, stored, found, axes)


def _scored(predictor: Predictor, images: NDArray[np.uint8], index: NDArray[np.intp], path: Path) -> Slices:
    values = np.empty(images.shape, np.float32)
    scores: dict[ScoreName, list[NDArray[np.float32]]] = {name: [] for name in SCORES}
    for start in range(0, len(images), _BATCH):
        part = slice(start, start + _BATCH)
        pixels = torch.from_numpy(images[part]).to(predictor.device).float() / 255
        with torch.inference_mode():
            logits = predictor.scorer(pixels).float()
            for name, each in sample_scores(logits, pixels).items():
                scores[name].append(each.cpu().numpy())
        found = logits.cpu().numpy()
        if np.isnan(found).any():
            raise BadVolume(f"{path}: the detector {predictor.name} answers with NaN")
        values[part] = predictor.calibration(found)
    return Slices(predictor, index, images, values, {name: np.concatenate(each) for name, each in scores.items()})


def opened(path: Path) -> Any:
    """The scan as nibabel opens it, for the header that its map gets; with extensions, which `read_volume` passes over.

    Raises BadVolume where they are damaged.
    """
    try:
        return load_nifti(path)
    except (HeaderDataError, ImageFileError, OSError, ValueError) as error:
        raise BadVolume(f"{path}: its header cannot be read whole, so that a map cannot have it ({error})") from error


def _axes(path: Path) -> NDArray[np.float64]:
    return np.asarray(_orientations.io_orientation(opened(path).header.get_best_affine()))
