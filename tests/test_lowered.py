"""Weights that become bf16 together train as they do under autocast, bit for bit."""

from copy import deepcopy

import pytest
import torch

from core.config import override
from core.detectors import Batch
from core.lowered import lowered_loss
from core.presets import PRESETS


@pytest.mark.parametrize("name", ["paper", "dae", "vae"])  # two with a U-Net and one without
def test_losses_gradients_and_buffers_are_those_of_autocast(name: str) -> None:
    config = override(PRESETS[name], {"detector.base": 4, "detector.depth": 3})
    torch.manual_seed(0)
    one = config.detector.build(config.loss).to(memory_format=torch.channels_last).train()
    two = deepcopy(one)
    image, mask = torch.rand(4, 1, 32, 32), (torch.rand(4, 32, 32) > 0.8).float()
    losses = []
    for loss in (one.training_loss, lowered_loss(two)):
        with torch.autocast("cpu", torch.bfloat16):
            losses.append(loss(Batch(image, mask, 0.9 * image, 0.0, torch.Generator().manual_seed(1))))
        losses[-1].backward()
    assert losses[0].item() == losses[1].item()
    pairs = list(zip(one.named_parameters(), two.parameters(), strict=True))
    assert len(pairs) > 10
    for (path, weight), other in pairs:
        assert weight.grad is not None
        assert weight.grad.dtype == torch.float32
        assert torch.equal(weight.grad, other.grad), path
    assert all(torch.equal(first, second) for first, second in zip(one.buffers(), two.buffers(), strict=True))


def test_a_weight_without_a_gradient_stays_without() -> None:
    config = override(PRESETS["paper"], {"detector.base": 4, "detector.depth": 2})
    detector = config.detector.build(config.loss)
    for weight in detector.unet.bottom.parameters():
        weight.requires_grad_(False)
    batch = Batch(torch.rand(2, 1, 8, 8), torch.zeros(2, 8, 8), torch.rand(2, 1, 8, 8), 0.0, torch.Generator())
    with torch.autocast("cpu", torch.bfloat16):
        loss = lowered_loss(detector)(batch)
    loss.backward()
    given = {path: weight.grad is not None for path, weight in detector.named_parameters()}
    assert {path.split(".")[1] for path, there in given.items() if not there} == {"bottom"}
    assert sum(given.values()) > 10
