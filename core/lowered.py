"""A loss whose weights become bf16 all together: autocast turns each on its own, and its gradient back."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call

from core.adam import aligned
from core.detectors import Batch
from core.detectors.unet import UNet


class AsLoss(nn.Module):
    """A detector that torch's tools can call for its loss."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, batch: Batch) -> Tensor:
        """A scalar to minimise."""
        loss: Tensor = self.detector.training_loss(batch)  # type: ignore[operator]
        return loss


def lowered_loss(detector: nn.Module) -> Callable[[Batch], Tensor]:
    """What `training_loss` is under bf16 autocast, bit for bit, with fewer kernels on a GPU where there is a U-Net."""
    weights = {
        f"detector.{path}.{name}.weight": module.weight
        for path, network in detector.named_modules()
        if isinstance(network, UNet)  # others compute in part without autocast
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
    }
    if not weights:
        return cast(Callable[[Batch], Tensor], detector.training_loss)
    module = AsLoss(detector)

    def loss(batch: Batch) -> Tensor:
        lowered = _Lowered.apply(*weights.values())  # type: ignore[no-untyped-call]
        found: Tensor = functional_call(module, dict(zip(weights, lowered, strict=True)), (batch,))
        return found

    return loss


class _Lowered(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, *weights: Tensor) -> tuple[Tensor, ...]:
        context.set_materialize_grads(False)  # a weight without a gradient stays without
        context.save_for_backward(*weights)
        lowered = [torch.empty_like(weight, dtype=torch.bfloat16) for weight in weights]
        torch._foreach_copy_(lowered, weights)
        return tuple(lowered)

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        pairs = zip(context.saved_tensors, gradients, strict=True)
        found = [(None if given is None else torch.empty_like(weight), given) for weight, given in pairs]
        torch._foreach_copy_(
            [full for full, _ in found if full is not None],
            [aligned(full, given) for full, given in found if full is not None and given is not None],
        )
        return tuple(full for full, _ in found)
