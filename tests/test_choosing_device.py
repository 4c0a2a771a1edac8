"""The device that was asked for, or one sentence about it."""

import pytest
import torch

from core.device import choose_device
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
