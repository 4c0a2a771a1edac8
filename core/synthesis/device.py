"""The same pseudo-outliers drawn as a batch in torch, on any device.

Trainings do not use it: copying what the host has drawn for the epsilon rule (`core.drawing`) is twenty times faster.

Only elementwise expressions in a fixed order are used, so a batch equals its elements bit for bit. Against the OpenCV
drawing, masks may differ in boundary pixels only: OpenCV's lines are fixed-point and touch what they cross.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.synthesis.applied import apply, blurred
from core.synthesis.blending import SATURATION
from core.synthesis.changes import strength
from core.synthesis.outlines import Box, Ellipse, Level, Outline, Polygon, Several, Stroke
from core.synthesis.pseudo_outlier import PseudoOutlier, Synthesis


def rasterise(outlines: Sequence[Outline], height: int, width: int, device: torch.device) -> Tensor:
    """Masks (B, H, W) float32, 1 where a pixel's centre lies inside its outline."""
    rows = torch.arange(height, device=device, dtype=torch.float32)[None, :, None]
    columns = torch.arange(width, device=device, dtype=torch.float32)[None, None, :]
    masks = torch.zeros(len(outlines), height, width, device=device)
    for kind in dict.fromkeys(type(outline) for outline in outlines):
        chosen = [index for index, outline in enumerate(outlines) if type(outline) is kind]
        masks[chosen] = _DRAWN[kind]([outlines[index] for index in chosen], rows, columns)
    return masks


def _strokes(strokes: Sequence[Stroke], rows: Tensor, columns: Tensor) -> Tensor:
    """Distance to the nearest segment, compared with half the brush width. Memory is one (B, H, W) plane."""
    longest = max(2, max(len(stroke.points) for stroke in strokes))
    # Repeating the last point adds segments of no length, which change nothing.
    padded = [np.pad(s.points, ((0, longest - len(s.points)), (0, 0)), mode="edge") for s in strokes]
    points = torch.from_numpy(np.stack(padded).astype(np.float32)).to(rows.device)[..., None, None]
    radius = torch.tensor([s.width / 2 for s in strokes], dtype=torch.float32, device=rows.device)[:, None, None]
    nearest = torch.full((len(strokes), rows.shape[1], columns.shape[2]), torch.inf, device=rows.device)
    for start, end in zip(points.unbind(1)[:-1], points.unbind(1)[1:], strict=True):
        (row, column), (down, right) = start.unbind(1), (end - start).unbind(1)
        squared = (down * down + right * right).clamp_min(1e-12)
        along = (((rows - row) * down + (columns - column) * right) / squared).clamp(0, 1)
        away = (rows - row - along * down) ** 2 + (columns - column - along * right) ** 2
        nearest = torch.minimum(nearest, away)
    return (nearest <= radius * radius).float()


def _boxes(boxes: Sequence[Box], rows: Tensor, columns: Tensor) -> Tensor:
    row, column, half = _numbers([(box.row, box.column, box.half) for box in boxes], rows.device)
    inside: Tensor = ((rows - row).abs() <= half) & ((columns - column).abs() <= half)
    return inside.float()


def _ellipses(ellipses: Sequence[Ellipse], rows: Tensor, columns: Tensor) -> Tensor:
    fields = [(e.row, e.column, np.cos(e.angle), np.sin(e.angle), 1 / e.first, 1 / e.second) for e in ellipses]
    row, column, cosine, sine, first, second = _numbers(fields, rows.device)
    down, right = rows - row, columns - column
    along = (down * cosine + right * sine) * first
    across = (right * cosine - down * sine) * second
    inside: Tensor = along * along + across * across <= 1
    return inside.float()


def _polygons(polygons: Sequence[Polygon], rows: Tensor, columns: Tensor) -> Tensor:
    """Whether a ray along the row crosses the border an odd number of times. Memory is one (B, H, W) plane."""
    longest = max(len(polygon.points) for polygon in polygons)
    # Repeating the first point closes the polygon, and once more adds edges that no row crosses.
    closed = [np.concatenate([p.points, np.repeat(p.points[:1], longest + 1 - len(p.points), 0)]) for p in polygons]
    points = torch.from_numpy(np.stack(closed).astype(np.float32)).to(rows.device)[..., None, None]
    inside = torch.zeros(len(polygons), rows.shape[1], columns.shape[2], dtype=torch.bool, device=rows.device)
    for start, end in zip(points.unbind(1)[:-1], points.unbind(1)[1:], strict=True):
        (row, column), (next_row, next_column) = start.unbind(1), end.unbind(1)
        rise = next_row - row
        slope = (next_column - column) / torch.where(rise == 0, 1.0, rise)
        crosses = (row <= rows) != (next_row <= rows)
        inside ^= crosses & (column + (rows - row) * slope > columns)
    return inside.float()


def _levels(levels: Sequence[Level], rows: Tensor, columns: Tensor) -> Tensor:
    """Their noise is drawn on the host, so that every device sees the same."""
    drawn = [level.draw(rows.shape[1], columns.shape[2]) for level in levels]
    return torch.from_numpy(np.stack(drawn)).to(rows.device).float()


def _severals(severals: Sequence[Several], rows: Tensor, columns: Tensor) -> Tensor:
    parts = _strokes([part for several in severals for part in several.parts], rows, columns)
    return torch.stack([each.amax(0) for each in torch.split(parts, [len(several.parts) for several in severals])])


def _numbers(fields: Sequence[tuple[float, ...]], device: torch.device) -> Tensor:
    """One plane-shaped tensor (B, 1, 1) per field."""
    return torch.from_numpy(np.array(fields, np.float32)).to(device).T[:, :, None, None]


_DRAWN: dict[type, Callable[..., Tensor]] = {
    Stroke: _strokes,
    Box: _boxes,
    Ellipse: _ellipses,
    Polygon: _polygons,
    Level: _levels,
    Several: _severals,
}


def draw(synthesis: Synthesis, outliers: Sequence[PseudoOutlier | None], images: Tensor) -> tuple[Tensor, Tensor]:
    """Blend decided pseudo-outliers into slices (eq. 2); a slice with None stays as it is.

    images: (B, H, W) float32 in [0, 1]. Returns images and labels, (B, H, W) float32, on the same device.
    """
    images = images.clone()
    labels = torch.zeros_like(images)
    layers = [outlier.layers if outlier is not None else () for outlier in outliers]
    for number in range(max(map(len, layers), default=0)):
        present = [index for index, mine in enumerate(layers) if len(mine) > number]
        drawn, label = _drawn(synthesis, [layers[index][number] for index in present], images[present])
        images[present] = drawn
        labels[present] = torch.maximum(labels[present], label)
    return images, labels


def _drawn(synthesis: Synthesis, outliers: Sequence[PseudoOutlier], before: Tensor) -> tuple[Tensor, Tensor]:
    hard = rasterise([outlier.outline for outlier in outliers], before.shape[1], before.shape[2], before.device)
    soft = blurred(hard, [outlier.edge for outlier in outliers])
    changed = apply([outlier.change for outlier in outliers], before, hard)
    blended = (before + soft * (changed - before)).clamp(0, 1)
    return blended, _labels(synthesis, outliers, hard, soft, (blended - before).abs())


def _labels(
    synthesis: Synthesis, outliers: Sequence[PseudoOutlier], hard: Tensor, soft: Tensor, change: Tensor
) -> Tensor:
    if synthesis.label == "mask":
        return hard
    near = _mean_5x5(change)
    visible = ((near > synthesis.epsilon / 4) & (soft > 0)).float()
    if synthesis.label == "changed":
        return visible
    if synthesis.label == "saturating":
        steepness, middle = SATURATION
        return visible * torch.sigmoid(steepness * (near - middle))
    (factor,) = _numbers([(strength(outlier.change),) for outlier in outliers], hard.device)
    weighted: Tensor = visible * factor
    return weighted


def _mean_5x5(values: Tensor) -> Tensor:
    height, width = values.shape[1:]
    padded = functional.pad(values, (2, 2, 2, 2))
    windows = (padded[:, i : i + height, j : j + width] for i in range(5) for j in range(5))
    return sum(windows, torch.zeros_like(values)) / 25
