"""Scoring a detector, or a baseline without one, on a slice table: sample level, pixel level, by family, by subject.

Maps are never collected: pixel scores go straight into histograms, one per subject and family, so memory does not grow
with the table; on an accelerator they never leave it. Pixel figures are pooled over slices, as in the paper, over the
whole frame and over tissue alone.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.allocation import keep_freed_memory
from core.config import ScoreName
from core.detectors import Detector
from core.folding import folded
from core.metrics import Ranking, ScoreHistogram, matched_auroc, pooled, rank
from core.pixel_counts import counting
from core.scores import SCORES, sample_scores
from core.sizes import lesion_areas, size_classes
from core.slices.table import SliceTable

Scorer = Callable[[Tensor], Tensor]
"""Slices (B, H, W) in [0, 1] to anomaly maps (B, H, W), the larger the more anomalous."""


@dataclass(frozen=True)
class Evaluation:
    """The result on one table; histograms keep all that pixel figures and their intervals need.

    frame, tissue: pixel histograms by (subject, family); family is "" for slices without one.
    sample: anomaly score of each slice by score name, (N,) float32. anomalous: (N,) bool. subject, family: (N,) names.
    stratum: (N,) tenth of the table's slices by tissue area, 0 to 9.
    area, sizes: anomalous pixels of each slice, (N,), and pixel histograms by the bounds of that area; where asked for.
    """

    frame: dict[tuple[str, str], ScoreHistogram]
    tissue: dict[tuple[str, str], ScoreHistogram]
    sample: dict[ScoreName, NDArray[np.float32]]
    anomalous: NDArray[np.bool_]
    subject: NDArray[np.str_]
    family: NDArray[np.str_]
    stratum: NDArray[np.intp]
    area: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    sizes: dict[tuple[int, int], ScoreHistogram] = field(default_factory=dict)

    def pixel(self, *, tissue: bool = False) -> Ranking:
        """Pooled over all pixels of the frame, or of the tissue (image > 0)."""
        return pooled((self.tissue if tissue else self.frame).values()).ranking()

    def sample_level(self, score: ScoreName) -> Ranking:
        """Slices with any anomalous pixel against those without."""
        return rank(self.sample[score], self.anomalous)

    def matched(self, score: ScoreName) -> float | None:
        """Sample-level AUROC among slices of like tissue area, so of like height in the head.

        Lesions lie where heads are wide. Over all slices a score that only measures the area already ranks well, and
        one that is raised where heads are narrow ranks below chance, whatever either knows of lesions.
        """
        return matched_auroc(self.sample[score], self.anomalous, self.stratum)

    def families(self) -> dict[str, Ranking]:
        """Pixel ranking of each family: its slices together with healthy pixels of all slices that have no family."""
        clean = [histogram.negatives() for (_, family), histogram in self.frame.items() if not family]
        return {
            name: pooled([*clean, *(h for (_, family), h in self.frame.items() if family == name)]).ranking()
            for name in sorted({family for _, family in self.frame if family})
        }

    def by_subject(self, *, tissue: bool = False) -> dict[str, ScoreHistogram]:
        """Pixel histograms per subject, the unit that intervals resample."""
        source = self.tissue if tissue else self.frame
        return {
            name: pooled(h for (subject, _), h in source.items() if subject == name)
            for name in sorted({subject for subject, _ in source})
        }

    def strata_by_subject(self) -> dict[str, NDArray[np.intp]]:
        """The stratum of each slice per subject, in the order of `sample_by_subject`."""
        return {str(name): self.stratum[self.subject == name] for name in np.unique(self.subject)}

    def sample_by_subject(self, score: ScoreName) -> dict[str, tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        """Slice scores and truth per subject."""
        return {
            str(name): (self.sample[score][self.subject == name], self.anomalous[self.subject == name])
            for name in np.unique(self.subject)
        }

    def figures(self) -> dict[str, float]:
        """Every figure by name, flat; those that need a class that is absent are left out."""
        found: dict[str, float | None] = {}
        for where, ranking in (("pixel", self.pixel()), ("tissue", self.pixel(tissue=True))):
            found |= _named(where, ranking)
        for score in SCORES:
            found |= _named(f"sample.{score}", self.sample_level(score))
            found[f"sample.{score}.matched_auroc"] = self.matched(score)
        for family, ranking in self.families().items():
            found |= _named(f"family.{family}", ranking)
        return {name: value for name, value in found.items() if value is not None}


def objective(figures: dict[str, float], families: Collection[str]) -> float:
    """Pixel-level average precision averaged over these families of the probe: what a study maximises."""
    return float(np.mean([figures[f"family.{name}.average_precision"] for name in families]))


def evaluate(
    scorer: Scorer, table: SliceTable, *, device: torch.device, batch: int = 64, by_size: bool = False
) -> Evaluation:
    """Score every slice of a table. by_size: keep results by size of lesion too. Raises ValueError for NaN in a map."""
    if device.type == "cpu":
        keep_freed_memory()
    counts = counting(device)
    sample: dict[ScoreName, list[Tensor]] = {name: [] for name in SCORES}
    area = lesion_areas(table) if by_size else np.empty(0, np.int64)
    classes = size_classes(area) if by_size else {}
    sizes: dict[tuple[int, int], ScoreHistogram] = {}
    family = np.array([name or "" for name in table.family])
    keys = list(zip(table.subject.tolist(), family.tolist(), strict=True))
    # Rows of one subject and family together, so that each histogram is filled once and then kept in its small form.
    order = np.array(sorted(range(len(table)), key=lambda row: keys[row]), np.intp)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        images, truth = (_sent(each, device) for each in (table.images(rows), table.masks(rows)))
        with torch.inference_mode():
            pixels = images.float() / 255
            maps = scorer(pixels).float()
            for name, values in sample_scores(maps, pixels).items():
                sample[name].append(values)
            counts.add(maps, images, truth, [keys[row] for row in rows])
        if by_size:
            found, positive = maps.cpu().numpy(), truth.cpu().numpy()
            for bounds, members in classes.items():
                if members[rows].any():
                    sizes.setdefault(bounds, ScoreHistogram()).add(found[members[rows]], positive[members[rows]])
    frame, tissue = counts.histograms()
    back = np.argsort(order)
    anomalous = ~table.normal
    scores = {name: torch.cat(values).cpu().numpy()[back] for name, values in sample.items()}
    strata = tenths(table.foreground)
    return Evaluation(frame, tissue, scores, anomalous, table.subject, family, strata, area, sizes)


def scorer_of(detector: nn.Module, *, bf16: bool = False) -> Scorer:
    """A detector's anomaly map as a scorer; the detector, of which a copy is taken, must be in evaluation mode."""
    ready = cast(Detector, folded(detector))

    def score(images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
            return ready.anomaly_map(images[:, None].contiguous(memory_format=torch.channels_last))

    return score


def _sent(values: NDArray[np.uint8], device: torch.device) -> Tensor:
    """On the device, without waiting for what it is doing."""
    found = torch.from_numpy(values)
    return found.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else found.to(device)


def tenths(area: NDArray[np.floating[Any]]) -> NDArray[np.intp]:
    """0 to 9 for each slice (N,), by its rank in tissue area; like areas share a tenth."""
    return np.searchsorted(np.quantile(area, np.arange(1, 10) / 10), area)


def _named(where: str, ranking: Ranking) -> dict[str, float | None]:
    return {f"{where}.auroc": ranking.auroc, f"{where}.average_precision": ranking.average_precision}
