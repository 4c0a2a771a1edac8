"""Adam: on a GPU one kernel updates all weights, and a captured update can hold it."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def adam(
    weights: Iterable[nn.Parameter], rate: float, betas: tuple[float, float], device: torch.device
) -> torch.optim.Adam:
    """For weights on this device. On a GPU the learning rate is a tensor, which `set_rate` changes where it lies."""
    if device.type != "cuda":
        return torch.optim.Adam(weights, rate, betas, fused=True)
    return torch.optim.Adam(weights, torch.tensor(rate, device=device), betas, capturable=True, fused=True)


def set_rate(optimiser: torch.optim.Adam, rate: float) -> None:
    """Change the learning rate of all later steps, captured ones too."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


# Adam's one kernel refuses values that lie otherwise in memory than their weights do.


def align_gradients(weights: Iterable[nn.Parameter]) -> None:
    """After a backward pass: where a side of a weight is 1, its gradient may come with strides that mean the same."""
    for weight in weights:
        if weight.grad is not None:
            weight.grad = _like(weight, weight.grad)


def align_state(optimiser: torch.optim.Adam) -> None:
    """After loading: files keep no strides."""
    for weight, state in optimiser.state.items():
        state |= {name: _like(weight, held) for name, held in state.items() if held.shape == weight.shape}


def _like(weight: Tensor, values: Tensor) -> Tensor:
    return values if values.stride() == weight.stride() else torch.empty_like(weight).copy_(values)
