"""Adam: on a GPU one kernel updates all weights, and a captured update can hold it."""

from collections.abc import Iterable
from inspect import unwrap

import torch
from torch import Tensor, nn


class _Adam(torch.optim.Adam):
    """Torch's, less what loads torch's compiler when a method is first called: that takes as long as torch itself."""

    add_param_group = unwrap(torch.optim.Adam.add_param_group)
    load_state_dict = unwrap(torch.optim.Adam.load_state_dict)
    state_dict = unwrap(torch.optim.Adam.state_dict)
    step = torch.no_grad()(unwrap(torch.optim.Adam.step))
    zero_grad = unwrap(torch.optim.Adam.zero_grad)


def adam(
    weights: Iterable[nn.Parameter], rate: float, betas: tuple[float, float], device: torch.device
) -> torch.optim.Adam:
    """For weights on this device. On a GPU the learning rate is a tensor, which `set_rate` changes where it lies."""
    if device.type != "cuda":
        return _Adam(weights, rate, betas, fused=True)
    return _Adam(weights, torch.tensor(rate, device=device), betas, capturable=True, fused=True)


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
            weight.grad = aligned(weight, weight.grad)


def align_state(optimiser: torch.optim.Adam) -> None:
    """After loading: files keep no strides."""
    for weight, state in optimiser.state.items():
        state |= {name: aligned(weight, held) for name, held in state.items() if held.shape == weight.shape}


def aligned(weight: Tensor, values: Tensor) -> Tensor:
    """The values with the weight's strides; where only strides of sides of 1 differ, they stay where they are."""
    if values.stride() == weight.stride():
        return values
    steps = zip(values.shape, values.stride(), weight.stride(), strict=True)
    if all(side == 1 or here == there for side, here, there in steps):
        return values.as_strided(values.shape, weight.stride())
    return torch.empty_like(weight, dtype=values.dtype).copy_(values)
