"""Adversaries after Wasserstein with a gradient penalty (Gulrajani et al., 2017).

A critic gives planes (B, 1, h, w) for its inputs (B, C, H, W); the mean of the plane is its opinion of that input.
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call


def frozen(module: nn.Module, inputs: Tensor) -> Tensor:
    """What the module makes of its inputs: the gradient reaches the inputs and leaves the module's weights alone."""
    weights = {name: weight.detach() for name, weight in module.named_parameters()}
    result: Tensor = functional_call(module, weights, (inputs,))
    return result


def opinion(planes: Tensor) -> Tensor:
    """(B, 1, h, w) to one value for each of the batch (B,), float32: the larger, the more real."""
    return planes.float().flatten(1).mean(1)


def critic_loss(critic: nn.Module, real: Tensor, fake: Tensor, penalty: float, generator: torch.Generator) -> Tensor:
    """Opinion of the fake minus that of the real, plus `penalty` times the gradient penalty between them.

    Only the critic's weights get a gradient. All in float32: the penalty differentiates twice, where bfloat16 is too
    coarse.
    """
    with torch.autocast(real.device.type, enabled=False):
        real, fake = real.detach().float(), fake.detach().float()
        share = torch.rand(len(real), 1, 1, 1, generator=generator, device=real.device)
        between = torch.lerp(fake, real, share).requires_grad_()
        (slope,) = torch.autograd.grad(opinion(critic(between)).sum(), between, create_graph=True)
        # The root's own slope is infinite at 0, where a fresh critic may lie.
        steepness = (slope.flatten(1).square().sum(1) + 1e-12).sqrt()
        excess = (steepness - 1).square().mean()
        return opinion(critic(fake)).mean() - opinion(critic(real)).mean() + penalty * excess
