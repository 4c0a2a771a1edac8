"""Poisson blending with mixed gradients (Perez et al. 2003; as Tan et al., PII, weigh the two gradients).

Inside a mask f solves, for every pixel p and its four neighbours q: sum(f_p - f_q) = sum(v_pq), where v_pq is the
stronger of (1 - factor) * (d_p - d_q) and factor * (s_p - s_q), and f = d outside the mask. Pixels on the border of the
frame keep the destination. The host solves one slice directly, torch a batch by relaxation.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solveh_banded
from torch import Tensor

Image = NDArray[np.float32]
_NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))
_TOLERANCE = 1e-7  # of the error that relaxation starts with


def blend(destination: Image, source: Image, mask: NDArray[np.uint8], factor: float) -> Image:
    """The destination (H, W) with the source's patch blended in; clipped to the destination's range."""
    blended = destination.copy()
    inside = _interior(mask)
    if not inside.any():
        return blended
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    # One more pixel on each side: the known border.
    box = np.s_[rows[0] - 1 : rows[-1] + 2, columns[0] - 1 : columns[-1] + 2]
    known = destination[box].astype(np.float64)
    found = _solved(known, inside[box], divergence(destination[box], source[box], factor))
    np.clip(found, destination.min(), destination.max(), out=found)
    blended[box] = np.where(inside[box], found, destination[box])
    return blended


def divergence(destination: Image, source: Image, factor: float) -> NDArray[np.float64]:
    """sum(v_pq) over the four neighbours; meaningless on the border of the frame."""
    total = np.zeros(destination.shape)
    for shift in _NEIGHBOURS:
        kept = np.float32(1 - factor) * (destination - np.roll(destination, shift, (0, 1)))
        brought = np.float32(factor) * (source - np.roll(source, shift, (0, 1)))
        total += np.where(np.abs(kept) >= np.abs(brought), kept, brought)
    return total


def blend_batch(destination: Tensor, source: Tensor, mask: Tensor, factors: Sequence[float]) -> Tensor:
    """`blend` of a batch (B, H, W), by successive over-relaxation, odd and even pixels in turn.

    The relaxation and the number of sweeps follow from each mask's bounding box, and every expression is elementwise:
    a slice's result does not depend on the batch around it.
    """
    inside = torch.zeros_like(mask, dtype=torch.bool)
    inside[:, 1:-1, 1:-1] = mask[:, 1:-1, 1:-1] > 0
    kept, brought = (_weights(values, destination) for values in ([1 - factor for factor in factors], factors))
    total = torch.zeros_like(destination, dtype=torch.float64)
    for shift in _NEIGHBOURS:
        first = kept * (destination - destination.roll(shift, (1, 2)))
        second = brought * (source - source.roll(shift, (1, 2)))
        total += torch.where(first.abs() >= second.abs(), first, second)
    rates, sweeps = zip(*map(_relaxation, inside.cpu().numpy()), strict=True)
    values = destination.double()
    rows, columns = (torch.arange(size, device=mask.device) for size in mask.shape[1:])
    odd = (rows[:, None] + columns[None, :]) % 2 == 1
    steps = [inside & odd, inside & ~odd]
    rate, last = (
        torch.tensor(each, dtype=torch.float64, device=mask.device)[:, None, None] for each in (rates, sweeps)
    )
    for sweep in range(max(sweeps)):
        # A slice that has had its own sweeps stays as it is.
        now = torch.where(last > sweep, rate, 0.0)
        for chosen in steps:
            around = values.roll(1, 1) + values.roll(-1, 1) + values.roll(1, 2) + values.roll(-1, 2)
            values = torch.where(chosen, values + now * ((around + total) / 4 - values), values)
    found = torch.minimum(torch.maximum(values.float(), destination.amin((1, 2), True)), destination.amax((1, 2), True))
    return torch.where(inside, found, destination)


def _solved(known: NDArray[np.float64], inside: NDArray[np.bool_], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cholesky of the banded system over the whole box; known pixels are equations of their own."""
    if inside.shape[1] > inside.shape[0]:
        return _solved(known.T, inside.T, total.T).T
    width = inside.shape[1]
    outside = np.where(inside, 0.0, known)
    around = sum((np.roll(outside, shift, (0, 1)) for shift in _NEIGHBOURS), np.zeros(known.shape))
    right = np.where(inside, total + around, known)
    bands = np.zeros((width + 1, inside.size))
    bands[0] = np.where(inside, 4.0, 1.0).ravel()
    flat = inside.ravel()
    for distance in (1, width):
        bands[distance, :-distance] -= flat[:-distance] & flat[distance:]
    solved = solveh_banded(bands, right.ravel(), lower=True, overwrite_ab=True, check_finite=False)
    return np.asarray(solved, np.float64).reshape(inside.shape)


def _interior(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    inside = np.zeros(mask.shape, bool)
    inside[1:-1, 1:-1] = mask[1:-1, 1:-1] > 0
    return inside


def _relaxation(inside: NDArray[np.bool_]) -> tuple[float, int]:
    """The best rate for the bounding box, at which any mask within it converges too, and the sweeps that it takes."""
    if not inside.any():
        return 1.0, 0
    sides = [int(np.ptp(np.flatnonzero(inside.any(axis)))) + 1 for axis in (1, 0)]
    jacobi = float(np.mean(np.cos(np.pi / (np.array(sides) + 1))))
    rate = 2 / (1 + np.sqrt(1 - jacobi**2))
    # At the best rate the error falls as k * (rate - 1)^k, hence the second term.
    return float(rate), int(np.ceil(np.log(_TOLERANCE) / np.log(max(rate - 1, 0.05)))) + sum(sides) // 2 + 4


def _weights(factors: Sequence[float], images: Tensor) -> Tensor:
    return torch.from_numpy(np.array(factors, np.float32)).to(images.device)[:, None, None]
