"""What a drawn stroke is measured by."""

import numpy as np

from core.synthesis.outlines import Stroke


def distance(stroke: Stroke, pixels: np.ndarray) -> np.ndarray:
    """Distance of pixels (N, 2) to the polyline, by the plain formula, (N,)."""
    start, end = (stroke.points[:-1], stroke.points[1:]) if len(stroke.points) > 1 else (stroke.points,) * 2
    step, away = end - start, pixels[:, None] - start
    along = np.clip((away * step).sum(-1) / np.maximum((step * step).sum(-1), 1e-12), 0, 1)
    return np.linalg.norm(away - along[..., None] * step, axis=-1).min(1)
