"""On a GPU: our kernels for what lies between convolutions compute what torch's do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.detectors.rectified import can_join, can_rectify, joined, rectified, rectified_and_halved
from core.slices.table import SliceTable

SHAPES = [(3, 5, 8, 12), (2, 40, 16, 16), (15, 64, 32, 32), (16, 512, 8, 8), (8, 8, 64, 64), (1, 3, 2, 2)]


def _features(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """Channels whose means lie far apart, as unnormalised ones may."""
    apart = torch.linspace(-50, 50, shape[1], device="cuda")[:, None, None]
    drawn = (3 * torch.randn(shape, device="cuda") + apart).to(dtype)
    return drawn.contiguous(memory_format=torch.channels_last)


def _norm(channels: int) -> nn.BatchNorm2d:
    torch.manual_seed(channels)
    norm = nn.BatchNorm2d(channels).to("cuda")
    for weight in norm.parameters():
        nn.init.normal_(weight)  # of both signs
    return norm


def _results(shape: tuple[int, ...], *, ours: bool) -> dict[str, Tensor]:
    norm, bias = _norm(shape[1]), torch.linspace(-1, 1, shape[1], device="cuda", requires_grad=True)
    torch.manual_seed(0)
    skip, enlarged = _features(shape).requires_grad_(), _features(shape).requires_grad_()
    if ours:
        full, half = rectified_and_halved(norm, skip)
        both = joined(full, rectified(norm, enlarged), bias)
    else:
        full = torch.relu(norm(skip))
        half = functional.max_pool2d(full, 2)
        both = torch.cat([full, torch.relu(norm(enlarged)) + bias[:, None, None]], 1)
    (both * torch.randn(both.shape, device="cuda")).sum().add(
        (half * torch.randn(half.shape, device="cuda")).sum()
    ).backward()
    found = {"full": full, "half": half, "both": both, "bias": bias.grad, "skip": skip.grad, "enlarged": enlarged.grad}
    found |= {name: weight.grad for name, weight in norm.named_parameters()}
    return found | dict(norm.named_buffers())


@pytest.mark.parametrize("shape", SHAPES)
def test_values_gradients_and_running_statistics_are_those_of_torch(shape: tuple[int, ...]) -> None:
    ours, theirs = _results(shape, ours=True), _results(shape, ours=False)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        scale = value.abs().max().item()
        torch.testing.assert_close(ours[name], value, atol=1e-5 * scale, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_bf16_is_rounded_once(shape: tuple[int, ...]) -> None:
    features = _features(shape, torch.bfloat16).requires_grad_()
    full, half = rectified_and_halved(_norm(shape[1]), features)
    exact = torch.relu(_norm(shape[1])(features.float()))
    assert full.dtype == half.dtype == torch.bfloat16
    torch.testing.assert_close(full.float(), exact, atol=1e-3, rtol=2**-8)
    assert torch.equal(half, functional.max_pool2d(full, 2))


def test_what_is_no_number_comes_through() -> None:
    features = _features((2, 8, 4, 4))
    features[0, 3, 1, 1] = torch.nan
    features.requires_grad_()
    full, half = rectified_and_halved(_norm(8), features)
    assert full[:, 3].isnan().all()
    assert half[:, 3].isnan().all()
    assert not full[:, :3].isnan().any()
    (full.sum() + half.sum()).backward()
    assert features.grad[:, 3].isnan().all()
    assert not features.grad[:, :3].isnan().any()


def test_they_repeat_bit_for_bit() -> None:
    one, two = (_results((16, 64, 64, 64), ours=True) for _ in range(2))
    assert [name for name in one if not torch.equal(one[name], two[name])] == []


PROGRAM = """
import sys
from core.config import Config, override
from core.slices import open_table
from core.training import train

config = override(Config(), {"detector.base": 4, "detector.depth": 2, "training.epochs": 1})
print(*(epoch.loss for epoch in train(config, open_table(sys.argv[1]), seed=0, device="cuda")))
"""


def test_a_training_without_a_compiler_takes_torchs_own_and_says_so(healthy: SliceTable, tmp_path: Path) -> None:
    without = {**os.environ, "CC": "/bin/false", "TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", PROGRAM, str(healthy.path)]
    ended = subprocess.run(command, env=without, capture_output=True, text=True, check=True, timeout=120)
    assert 0 < float(ended.stdout) < 2
    assert ended.stderr.count("Triton compiles no kernels here (/bin/false fails)") == 1


def test_they_are_for_training_alone() -> None:
    features, norm = _features((2, 8, 4, 4)).requires_grad_(), _norm(8)
    assert can_rectify(norm, features)
    assert not can_rectify(norm, features.contiguous())
    assert not can_rectify(norm, features.cpu())
    assert not can_rectify(norm, features.detach())
    assert not can_rectify(nn.InstanceNorm2d(8), features)
    assert not can_rectify(norm.eval(), features)
    assert can_join(features, features)
    assert not can_join(features, features.bfloat16())
    assert not can_join(features, features[:, :4])
