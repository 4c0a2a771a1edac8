"""The device that was asked for, or one sentence about it."""

import pytest
import torch

from core.config import Training
from core.device import choose_device, uses_bf16
from core.errors import BadConfig


def test_a_gpu_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(choose_device(name)) for name in ("auto", "cpu", "cuda", "cuda:1")] == ["cuda", "cpu", "cuda", "cuda:1"]
    for name in ("cuda:2", "cuda:1000"):
        with pytest.raises(BadConfig, match=rf"device = '{name}': expected at most cuda:1, the last GPU here"):
            choose_device(name)
    for name in ("cuda:01", "cuda:", "gpu"):
        with pytest.raises(BadConfig, match=rf"device = '{name}': expected auto, cpu or cuda; did you mean cuda\?"):
            choose_device(name)


def test_without_a_gpu_auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [str(choose_device(name)) for name in ("auto", "cpu")] == ["cpu", "cpu"]
    for name in ("cuda", "cuda:0"):
        with pytest.raises(BadConfig, match=rf"device = '{name}': torch .* sees no GPU here; use cpu or auto"):
            choose_device(name)


@pytest.mark.parametrize("supported", [True, False])
def test_bf16_on_a_gpu_that_would_emulate_it_is_not_chosen(supported: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def answered(including_emulation: bool = True) -> bool:
        return supported or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", answered)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: not supported)
    assert uses_bf16(Training(), torch.device("cuda")) is supported
