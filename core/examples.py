"""Test slices with their anomaly maps, kept for looking at: the best, the middling and the worst, chosen by rule."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from core.config import ScoreName
from core.durable import replacing
from core.evaluation import Scorer
from core.scores import sample_scores
from core.slices.table import SliceTable

_BATCH = 64
_HEALTHY = 3  # slices without a lesion, those with the highest scores
LEAST_PIXELS = 20  # slices that barely touch a lesion say little to the eye


def write_examples(path: Path, scorer: Scorer, table: SliceTable, *, device: torch.device, score: ScoreName) -> None:
    """Write examples.npz: image, mask (n, H, W) uint8; map (n, H, W) float16; label, subject (n,) str; value (n,).

    Of each lesion family (or all lesions where families are unknown) the slices at the best, middle and worst ranks by
    pixel AP within the slice; of the healthy slices those with the highest anomaly score, the false positives.
    """
    lesions: list[tuple[str, int, float]] = []
    healthy: list[tuple[int, float]] = []
    for start in range(0, len(table), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(table)))
        images, logits = _scored(scorer, table, rows, device)
        scores = sample_scores(logits, images)[score].cpu().numpy()
        for row, mask, found, value in zip(rows.tolist(), table.masks(rows), logits.cpu().numpy(), scores, strict=True):
            if table.normal[row]:
                healthy.append((row, float(value)))
            elif mask.sum() >= LEAST_PIXELS:
                precision = float(average_precision_score(mask.ravel(), found.ravel()))
                lesions.append((table.family[row] or "lesion", row, precision))
    kept: list[tuple[str, int, float]] = []
    for family in sorted({name for name, _, _ in lesions}):
        ranked = sorted((item for item in lesions if item[0] == family), key=lambda item: -item[2])
        places = dict.fromkeys([0, len(ranked) // 2, len(ranked) - 1])
        kept += [ranked[place] for place in places]
    kept += [("healthy", row, value) for row, value in sorted(healthy, key=lambda item: -item[1])[:_HEALTHY]]
    shown = np.array([row for _, row, _ in kept], np.intp)
    _, maps = _scored(scorer, table, shown, device)  # again: those of a large table would fill the memory
    # A file object, since numpy appends .npz to a name that lacks it.
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            image=table.images(shown),
            mask=table.masks(shown),
            map=maps.cpu().numpy().astype(np.float16),
            label=np.array([label for label, _, _ in kept]),
            value=np.array([value for _, _, value in kept], np.float32),
            subject=table.subject[shown],
        )


def _scored(
    scorer: Scorer, table: SliceTable, rows: NDArray[np.intp], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """These slices and their maps, both (n, H, W) float32."""
    images = torch.from_numpy(table.images(rows)).to(device).float() / 255
    with torch.inference_mode():
        return images, scorer(images).float()
