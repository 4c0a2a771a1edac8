"""Post-processing of anomaly maps: a step of its own after the detector, reported beside the raw map, never instead.

The steps are those of Baur et al., 2021, and Kascenas et al., 2022, slice by slice. Their parameters are chosen on a
probe, so that a test table has no part in them.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, cast

import cv2
import numpy as np
import torch
from annotated_types import Ge, Le, Lt
from numpy.typing import NDArray
from torch import Tensor, nn

from core.detectors import Reconstructing
from core.errors import BadConfig, BadInput
from core.evaluation import Scorer
from core.metrics import ScoreHistogram
from core.slices.table import SliceTable
from core.strict import STRICT

Array = NDArray[np.float32]
REMOVED = -100.0
"""The map's value where something was removed: below any that a detector gives, and still finite in float16."""

# What `choose` tries. Few values, so that a probe of some hundred slices can tell them apart; Kascenas's median is 5.
_VALUES: dict[str, tuple[Any, ...]] = {
    "positive": (True,),
    "quantile": (0.5, 0.9),
    "erosion": (1, 3),
    "median": (3, 5),
    "smallest": (10, 20),
}


@dataclass(frozen=True)
class Postprocessing:
    """What is done to the map of a slice, in this order; the defaults do nothing.

    positive: removes what is not brighter than the detector's reconstruction.
    quantile: removes what is darker than this quantile of the slice's tissue; 0 is off. A prior for bright lesions.
    erosion: pixels of the tissue's rim that are removed, with all that lies around the tissue.
    median: side of the median filter's window in pixels; 1 is off.
    smallest: removes connected pixels above `threshold`, a value of the map, that are fewer than this; 0 is off.
    """

    positive: bool = False
    quantile: Annotated[float, Ge(0), Lt(1)] = 0.0
    erosion: Annotated[int, Ge(0), Le(64)] = 0
    median: Literal[1, 3, 5] = 1
    smallest: Annotated[int, Ge(0)] = 0
    threshold: float = 0.0

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    @property
    def does_nothing(self) -> bool:
        """Whether every map stays as it is."""
        return replace(self, threshold=0.0) == Postprocessing()

    def applied(self, maps: Array, images: Array, restored: Array | None = None) -> Array:
        """New maps from maps, slices in [0, 1] and their reconstructions, all (B, H, W). Raises BadConfig."""
        if self.positive and restored is None:
            raise BadConfig("positive = True: the detector gives no reconstruction; expected False")
        found = np.array(maps, np.float32)
        for index, image in enumerate(images):
            found[index] = self._slice(found[index], image, None if restored is None else restored[index])
        return found

    def _slice(self, anomaly: Array, image: Array, restored: Array | None) -> Array:
        tissue = image > 0
        kept = np.ones_like(tissue)
        if self.positive and restored is not None:
            kept &= image > restored
        if self.quantile > 0 and tissue.any():
            kept &= image >= np.quantile(image[tissue], self.quantile)
        if self.erosion > 0:
            kept &= cv2.erode(tissue.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=self.erosion) > 0
        anomaly = _without(anomaly, ~kept)
        if self.median > 1:
            anomaly = np.asarray(cv2.medianBlur(anomaly, self.median), np.float32)
        if self.smallest > 0:
            above = (anomaly > self.threshold).astype(np.uint8)
            _, labels, statistics, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
            small = statistics[:, cv2.CC_STAT_AREA] < self.smallest
            small[0] = False  # what lies below the threshold is no component
            anomaly = _without(anomaly, small[labels])
        return anomaly


class Choice(NamedTuple):
    """Pixel-level average precision on the probe, raw and of the choice; tried: how many settings were compared."""

    raw: float
    chosen: float
    tried: int


def postprocessed(scorer: Scorer, settings: Postprocessing, restorer: Scorer | None = None) -> Scorer:
    """A scorer whose maps are post-processed; restorer: the detector's reconstruction, for `positive`."""
    if settings.does_nothing:
        return scorer

    def score(images: Tensor) -> Tensor:
        restored = _array(restorer(images)) if settings.positive and restorer else None
        return torch.from_numpy(settings.applied(_array(scorer(images)), _array(images), restored)).to(images.device)

    return score


def restorer_of(detector: nn.Module, *, bf16: bool = False) -> Scorer | None:
    """A detector's reconstruction, slices (B, H, W) to slices; None for one that reconstructs nothing."""
    if not isinstance(detector, Reconstructing):
        return None

    def restore(images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
            planes = images[:, None].contiguous(memory_format=torch.channels_last)
            return cast(Reconstructing, detector).reconstruction(planes)[:, 0]

    return restore


def choose(
    scorer: Scorer, probe: SliceTable, device: torch.device, restorer: Scorer | None = None
) -> tuple[Postprocessing, Choice]:
    """Settings that raise the pixel-level average precision, all slices of the probe pooled.

    One step after the other, in the order in which they are applied, takes the best of its few values, or none where
    none helps. The threshold of small components is that of the best Dice. Maps of the whole probe are held in
    memory. Raises BadInput when no pixel of the probe is anomalous.
    """
    truth = probe.masks(slice(None)).astype(bool)
    if not truth.any():
        raise BadInput(f"{probe.path}: no pixel is anomalous; expected a probe, to choose post-processing on")
    images = np.asarray(probe.images(slice(None)) / np.float32(255), np.float32)
    maps = _scored(scorer, images, device)
    restored = _scored(restorer, images, device) if restorer else None

    def counted(settings: Postprocessing) -> tuple[float, ScoreHistogram]:
        histogram = ScoreHistogram()
        histogram.add(settings.applied(maps, images, restored), truth)
        return histogram.ranking().average_precision or 0.0, histogram

    best = Postprocessing()
    raw, histogram = counted(best)
    highest, tried = raw, 1
    for name, values in _VALUES.items():
        if name == "positive" and restored is None:
            continue
        before = replace(best, threshold=float(histogram.best_dice()[0])) if name == "smallest" else best
        for value in values:
            candidate = replace(before, **{name: value})
            precision, found = counted(candidate)
            tried += 1
            if precision > highest:
                best, highest, histogram = candidate, precision, found
    return best, Choice(raw, highest, tried)


def _scored(scorer: Scorer, images: Array, device: torch.device) -> Array:
    with torch.inference_mode():
        return np.concatenate(
            [
                _array(scorer(torch.from_numpy(images[start : start + 64]).to(device)))
                for start in range(0, len(images), 64)
            ]
        )


def _without(anomaly: Array, removed: NDArray[np.bool_]) -> Array:
    return np.where(removed, np.minimum(anomaly, np.float32(REMOVED)), anomaly)


def _array(values: Tensor) -> Array:
    return np.asarray(values.float().cpu().numpy())
