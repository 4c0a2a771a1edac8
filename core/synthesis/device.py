"""The same pseudo-outliers drawn as a batch in torch, for slices that live on an accelerator.

Only elementwise expressions in a fixed order are used, so a batch equals its elements bit for bit. Against the OpenCV
drawing, masks may differ in boundary pixels only: OpenCV's lines are fixed-point and touch what they cross.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.synthesis.outlines import Box, Outline, Stroke
from core.synthesis.pseudo_outlier import PseudoOutlier, Synthesis, blur_radius


def rasterise(outlines: Sequence[Outline], height: int, width: int, device: torch.device) -> Tensor:
    """Masks (B, H, W) float32, 1 where a pixel's centre lies inside its outline."""
    rows = torch.arange(height, device=device, dtype=torch.float32)[None, :, None]
    columns = torch.arange(width, device=device, dtype=torch.float32)[None, None, :]
    masks = torch.zeros(len(outlines), height, width, device=device)
    strokes = [index for index, outline in enumerate(outlines) if isinstance(outline, Stroke)]
    boxes = [index for index, outline in enumerate(outlines) if isinstance(outline, Box)]
    if strokes:
        masks[strokes] = _strokes([outlines[i] for i in strokes], rows, columns)  # type: ignore[misc]
    if boxes:
        fields = np.array([(o.row, o.column, o.half) for o in outlines if isinstance(o, Box)], np.float32)
        row, column, half = torch.from_numpy(fields).to(device).T[:, :, None, None]
        masks[boxes] = ((rows - row).abs() <= half).float() * ((columns - column).abs() <= half).float()
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


def soften(masks: Tensor, edges: Sequence[float]) -> Tensor:
    """Blur masks (B, H, W), each by its own standard deviation in pixels; 0 keeps a mask as it is."""
    reach = max(blur_radius(edge) for edge in edges)
    if reach == 0:
        return masks
    # Each kernel is cut at its own reach, as OpenCV's is, so that the batch around it has no influence.
    offsets = np.arange(-reach, reach + 1)
    kernels = np.stack([_kernel(edge, offsets) for edge in edges]).astype(np.float32)
    taps = torch.from_numpy(kernels).to(masks.device)[..., None, None].unbind(1)
    height, width = masks.shape[1:]
    padded = functional.pad(masks, (0, 0, reach, reach))
    down = sum((tap * padded[:, i : i + height] for i, tap in enumerate(taps)), torch.zeros_like(masks))
    padded = functional.pad(down, (reach, reach))
    return sum((tap * padded[:, :, i : i + width] for i, tap in enumerate(taps)), torch.zeros_like(masks))


def _kernel(edge: float, offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    if edge <= 0:
        return np.asarray(offsets == 0, np.float64)
    weights: NDArray[np.float64] = np.exp(-(offsets**2) / (2 * edge**2)) * (np.abs(offsets) <= blur_radius(edge))
    kernel: NDArray[np.float64] = weights / weights.sum()
    return kernel


def draw(synthesis: Synthesis, outliers: Sequence[PseudoOutlier | None], images: Tensor) -> tuple[Tensor, Tensor]:
    """Blend decided pseudo-outliers into slices (eq. 2); a slice with None stays as it is.

    images: (B, H, W) float32 in [0, 1]. Returns images and labels, (B, H, W) float32, on the same device.
    """
    images = images.clone()
    labels = torch.zeros_like(images)
    present = [index for index, outlier in enumerate(outliers) if outlier is not None]
    if not present:
        return images, labels
    chosen = [outlier for outlier in outliers if outlier is not None]
    before = images[present]
    height, width = images.shape[1:]
    hard = rasterise([outlier.outline for outlier in chosen], height, width, images.device)
    soft = soften(hard, [outlier.edge for outlier in chosen])
    # float32, as on the CPU path: 1 + gain is rounded once, on the host.
    affine = np.array([(1 + o.change.gain, o.change.offset) for o in chosen], np.float32)
    factor, offset = torch.from_numpy(affine).to(images.device).T[:, :, None, None]
    changed = before * factor + offset
    for index, outlier in enumerate(chosen):
        if outlier.change.noise_std > 0:
            changed[index] += torch.from_numpy(outlier.change.noise(height, width)).to(images.device)
    blended = (before + soft * (changed.clamp(0, 1) - before)).clamp(0, 1)
    if synthesis.label == "changed":
        hard = ((_mean_5x5((blended - before).abs()) > synthesis.epsilon / 4) & (soft > 0)).float()
    images[present] = blended
    labels[present] = hard
    return images, labels


def _mean_5x5(values: Tensor) -> Tensor:
    height, width = values.shape[1:]
    padded = functional.pad(values, (2, 2, 2, 2))
    windows = (padded[:, i : i + height, j : j + width] for i in range(5) for j in range(5))
    return sum(windows, torch.zeros_like(values)) / 25
