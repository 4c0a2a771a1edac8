"""Batch normalisation, rectification and halving as one operation, and the joining of skips: for training on a GPU.

A GPU's memory, not its arithmetic, bounds these. Torch takes eleven kernels for the first two, each of which reads and
writes all features; these are six. Results are the same to rounding, and repeat bit for bit.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from subprocess import CalledProcessError
from typing import Any
from warnings import warn

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_TILE = 4096  # pixels times channels that a program holds
_COLUMNS = 32  # channels of a tile, always as many: each other number is compiled apart
_PROGRAMS = 256  # that reduce
_WARPS = 4  # of a program
_FEW = 8  # channels of a program that settles what others left


@cache
def triton_version() -> str | None:
    """Of the Triton that can compile these kernels, which takes a C compiler at run time; None, told once, without."""
    if find_spec("triton") is None:
        return None
    try:
        import triton

        triton.runtime.driver.active.get_current_target()
        return str(triton.__version__)
    except CalledProcessError as failure:
        why = f"{failure.cmd[0]} fails"
    except (AssertionError, ImportError, OSError, RuntimeError) as failure:
        why = (str(failure) or type(failure).__name__).splitlines()[0]
    text = f"Triton compiles no kernels here ({why}): trainings on this GPU take torch's own, and half as long again"
    warn(text, RuntimeWarning, stacklevel=2)
    return None


def can_rectify(norm: nn.Module, features: Tensor) -> bool:
    """Whether `rectified` can do it: batch statistics of a training on a GPU, channels last, and Triton is here."""
    return isinstance(norm, nn.BatchNorm2d) and norm.training and norm.momentum is not None and _lies_well(features)


def rectified(norm: nn.BatchNorm2d, features: Tensor) -> Tensor:
    """The positive part of features (B, C, H, W), normalised by their own statistics; the running ones follow.

    As `relu(norm(features))`, in the features' type. It has no second derivative.
    """
    return _applied(norm, features, halve=False)[0]


def rectified_and_halved(norm: nn.BatchNorm2d, features: Tensor) -> tuple[Tensor, Tensor]:
    """What `rectified` returns, and its largest value of each 2x2 square: (B, C, H / 2, W / 2). H and W are even."""
    full, half = _applied(norm, features, halve=True)
    return full, half


def can_join(skip: Tensor, enlarged: Tensor) -> bool:
    """Whether `joined` can do it."""
    return skip.shape == enlarged.shape and skip.dtype == enlarged.dtype and _lies_well(skip) and _lies_well(enlarged)


def joined(skip: Tensor, enlarged: Tensor, bias: Tensor) -> Tensor:
    """Both (B, C, H, W) side by side, with a bias (C) on the second: (B, 2 C, H, W). It has no second derivative."""
    out: Tensor = _Joined.apply(skip, enlarged, bias)  # type: ignore[no-untyped-call]
    return out


def _lies_well(features: Tensor) -> bool:
    return (
        features.is_cuda
        and features.is_contiguous(memory_format=torch.channels_last)
        and features.requires_grad
        and triton_version() is not None
    )


def _applied(norm: nn.BatchNorm2d, features: Tensor, *, halve: bool) -> tuple[Tensor, ...]:
    running = (norm.running_mean, norm.running_var, norm.num_batches_tracked)
    found: tuple[Tensor, ...] = _Rectified.apply(  # type: ignore[no-untyped-call]
        features, norm.weight, norm.bias, running, norm.momentum, norm.eps, halve
    )
    return found


class _Rectified(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        running: tuple[Tensor, Tensor, Tensor],
        momentum: float,
        epsilon: float,
        halve: bool,
    ) -> tuple[Tensor, ...]:
        from core.detectors import rectified_kernels as kernels

        grid = _Grid(features)
        partial = grid.floats(3, grid.programs)
        kernels.moments[grid.reducing](features, partial, grid.pixels, grid.channels, grid.programs, **grid.tile)
        saved = grid.floats(4)
        kernels.settle_moments[grid.settling](
            partial, weight, bias, *running, saved, grid.pixels, grid.channels, grid.programs, momentum, epsilon,
            PROGRAMS=_PROGRAMS, COLUMNS=_FEW,
        )  # fmt: skip
        batch, channels, height, width = features.shape
        full, half = torch.empty_like(features), None
        if halve:
            grid, half = _Grid(features, quarters=4), _room(features, (batch, channels, height // 2, width // 2))
        kernels.rectify[grid.whole](
            features, saved, full, half, grid.squares, grid.channels, width // 2, **grid.tile, QUARTERS=grid.quarters
        )
        context.save_for_backward(features, saved)
        return (full,) if half is None else (full, half)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor, *halved: Tensor) -> tuple[Tensor | None, ...]:
        from core.detectors import rectified_kernels as kernels

        features, saved = context.saved_tensors
        gradient = _by_pixels(gradient)
        half = halved[0].contiguous(memory_format=torch.channels_last) if halved else None
        grid = _Grid(features, quarters=4 if halved else 1)
        lying = grid.squares, grid.channels, gradient.stride(3), features.shape[3] // 2
        partial, sums = grid.floats(2, grid.programs), grid.floats(2)
        kernels.gradients[grid.reducing](
            features, gradient, half, saved, partial, *lying, grid.programs, **grid.tile, QUARTERS=grid.quarters
        )
        kernels.settle_sums[(*grid.settling, 2)](
            partial, sums, grid.channels, grid.programs, PROGRAMS=_PROGRAMS, COLUMNS=_FEW
        )
        out = torch.empty_like(features)
        kernels.spread_gradients[grid.whole](
            features, gradient, half, saved, sums, out, *lying, **grid.tile, QUARTERS=grid.quarters
        )
        return out, sums[1], sums[0], None, None, None, None


class _Joined(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, skip: Tensor, enlarged: Tensor, bias: Tensor) -> Tensor:
        from core.detectors import rectified_kernels as kernels

        batch, channels, *sides = skip.shape
        grid, out = _Grid(skip), _room(skip, (batch, 2 * channels, *sides))
        kernels.join[grid.whole](skip, enlarged, bias, out, grid.pixels, grid.channels, **grid.tile)
        return out

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        from core.detectors import rectified_kernels as kernels

        gradient = gradient.contiguous(memory_format=torch.channels_last)
        skip, enlarged = gradient.chunk(2, 1)
        grid = _Grid(enlarged)
        out = _room(enlarged, enlarged.shape)
        partial, sums = grid.floats(1, grid.programs), grid.floats(1)
        kernels.part[grid.reducing](gradient, out, partial, grid.pixels, grid.channels, grid.programs, **grid.tile)
        kernels.settle_sums[(*grid.settling, 1)](
            partial, sums, grid.channels, grid.programs, PROGRAMS=_PROGRAMS, COLUMNS=_FEW
        )
        return skip, out, sums[0]


class _Grid:
    """How features are divided among programs. quarters: 4 where squares of four pixels are treated together."""

    def __init__(self, features: Tensor, quarters: int = 1) -> None:
        self.features, self.quarters = features, quarters
        self.channels = features.shape[1]
        self.pixels = features.numel() // self.channels
        self.squares = self.pixels // quarters
        rows = _TILE // _COLUMNS // quarters
        across, tiles = -(-self.channels // _COLUMNS), -(-self.squares // rows)
        self.tile = {"ROWS": rows, "COLUMNS": _COLUMNS, "num_warps": _WARPS}
        self.programs = min(tiles, max(_PROGRAMS // across, 1))
        self.reducing, self.whole = (self.programs, across), (tiles, across)
        self.settling = (-(-self.channels // _FEW),)

    def floats(self, *sizes: int) -> Tensor:
        """Room for so many numbers of each channel."""
        return self.features.new_empty(*sizes, self.channels, dtype=torch.float32)


def _room(like: Tensor, shape: Sequence[int]) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def _by_pixels(gradient: Tensor) -> Tensor:
    """With a fixed step from pixel to pixel and channels side by side, as of a part of joined features."""
    _, channels, height, width = gradient.shape
    step = gradient.stride(3)
    if gradient.stride() == (height * width * step, 1, width * step, step) and step >= channels:
        return gradient
    return gradient.contiguous(memory_format=torch.channels_last)
