"""The decided transforms of `core.synthesis.changes`, applied to a batch of slices in torch."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.synthesis.blending import blur_radius
from core.synthesis.changes import Affine, Change, Fill, Mixed, Moved, Power, Pull, Seamless, Smooth, Waves
from core.synthesis.poisson import blend_batch


def apply(changes: Sequence[Change], images: Tensor, masks: Tensor | None = None) -> Tensor:
    """Each change applied to its slice: (B, H, W) float32 in [0, 1] to the same.

    masks: where it will be seen, (B, H, W) of 0 and 1, by default everywhere; Poisson blending depends on it.
    """
    masks = torch.ones_like(images) if masks is None else masks
    changed = torch.empty_like(images)
    for kind in dict.fromkeys(type(change) for change in changes):
        chosen = [index for index, change in enumerate(changes) if type(change) is kind]
        mine = [changes[index] for index in chosen]
        if kind is Seamless:
            changed[chosen] = _seamless(mine, images[chosen], masks[chosen])
        else:
            changed[chosen] = _APPLIED[kind](mine, images[chosen])
    return changed.clamp_(0, 1)


def blurred(images: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Blur slices (B, H, W), each by its own standard deviation in pixels; 0 keeps one as it is."""
    reach = max(blur_radius(sigma) for sigma in sigmas)
    if reach == 0:
        return images
    # Each kernel is cut at its own reach, as OpenCV's is, so that the batch around it has no influence.
    offsets = np.arange(-reach, reach + 1)
    kernels = np.stack([_kernel(sigma, offsets) for sigma in sigmas]).astype(np.float32)
    taps = torch.from_numpy(kernels).to(images.device)[..., None, None].unbind(1)
    height, width = images.shape[1:]
    padded = functional.pad(images, (0, 0, reach, reach))
    down = sum((tap * padded[:, i : i + height] for i, tap in enumerate(taps)), torch.zeros_like(images))
    padded = functional.pad(down, (reach, reach))
    return sum((tap * padded[:, :, i : i + width] for i, tap in enumerate(taps)), torch.zeros_like(images))


def _kernel(sigma: float, offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    if sigma <= 0:
        return np.asarray(offsets == 0, np.float64)
    weights: NDArray[np.float64] = np.exp(-(offsets**2) / (2 * sigma**2)) * (np.abs(offsets) <= blur_radius(sigma))
    kernel: NDArray[np.float64] = weights / weights.sum()
    return kernel


def _affine(changes: Sequence[Affine], images: Tensor) -> Tensor:
    # float32, as on the CPU path: 1 + gain is rounded once, on the host.
    factor, offset = _numbers([(1 + change.gain, change.offset) for change in changes], images)
    changed: Tensor = images * factor + offset
    for index, change in enumerate(changes):
        if change.noise_std > 0:
            changed[index] += _noise(change, images)
    return changed


def _power(changes: Sequence[Power], images: Tensor) -> Tensor:
    (exponent,) = _numbers([(change.exponent,) for change in changes], images)
    return torch.pow(images, exponent)


def _waves(changes: Sequence[Waves], images: Tensor) -> Tensor:
    return images + torch.stack([_noise(change, images) for change in changes])


def _fill(changes: Sequence[Fill], images: Tensor) -> Tensor:
    (value,) = _numbers([(change.value,) for change in changes], images)
    filled: Tensor = value.expand_as(images)
    return filled


def _smooth(changes: Sequence[Smooth], images: Tensor) -> Tensor:
    return blurred(images, [change.sigma for change in changes])


def _pull(changes: Sequence[Pull], images: Tensor) -> Tensor:
    row, column, radius, amount = _numbers([(c.row, c.column, c.radius, c.amount) for c in changes], images)
    height, width = images.shape[1:]
    down = torch.arange(height, device=images.device, dtype=torch.float32)[None, :, None] - row
    right = torch.arange(width, device=images.device, dtype=torch.float32)[None, None, :] - column
    kept = 1 - (1 - (down**2 + right**2) / radius**2).clamp_min(0) ** 2 * amount
    # From pixels to the -1..1 of the whole frame.
    rows, columns = (2 * (row + down * kept) / (height - 1) - 1, 2 * (column + right * kept) / (width - 1) - 1)
    grid = torch.stack([columns, rows], -1)
    return functional.grid_sample(images[:, None], grid, padding_mode="border", align_corners=True)[:, 0]


def _mixed(changes: Sequence[Mixed], images: Tensor) -> Tensor:
    (factor,) = _numbers([(change.factor,) for change in changes], images)
    mixed: Tensor = images + factor * (_donors(changes, images) - images)
    return mixed


def _seamless(changes: Sequence[Any], images: Tensor, masks: Tensor) -> Tensor:
    return blend_batch(images, _donors(changes, images), masks, [change.factor for change in changes])


def _moved(changes: Sequence[Moved], images: Tensor) -> Tensor:
    (gain,) = _numbers([(change.gain,) for change in changes], images)
    height, width = images.shape[1:]
    rolled = [image.roll(change.pixels(height, width), (0, 1)) for change, image in zip(changes, images, strict=True)]
    moved: Tensor = torch.stack(rolled) * gain
    return moved


def _donors(changes: Sequence[Mixed | Seamless], images: Tensor) -> Tensor:
    return torch.from_numpy(np.stack([change.donor for change in changes])).to(images.device)


def _noise(change: Affine | Waves, images: Tensor) -> Tensor:
    """Drawn on the host, so that every device sees the same."""
    return torch.from_numpy(change.noise(images.shape[1], images.shape[2])).to(images.device)


def _numbers(fields: Sequence[tuple[float, ...]], images: Tensor) -> Tensor:
    """One plane-shaped tensor (B, 1, 1) per field."""
    return torch.from_numpy(np.array(fields, np.float32)).to(images.device).T[:, :, None, None]


_APPLIED: dict[type, Callable[..., Tensor]] = {
    Affine: _affine,
    Power: _power,
    Waves: _waves,
    Fill: _fill,
    Smooth: _smooth,
    Pull: _pull,
    Mixed: _mixed,
    Moved: _moved,
}
