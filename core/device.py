"""Where a training or an evaluation runs, and how precisely it computes there."""

import re

import torch

from core.config import Training
from core.errors import BadConfig, nearest


def choose_device(name: str = "auto") -> torch.device:
    """`auto` is CUDA when there is a GPU. Raises BadConfig when a GPU, or that one, is asked for and absent."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise BadConfig(f"device = {name!r}: torch {torch.__version__} sees no GPU here; use cpu or auto")
    asked = re.fullmatch(r"cpu|cuda(?::(0|[1-9]\d*))?", name)
    if asked is None:
        near = "; did you mean cuda?" if name.lower() == "gpu" else nearest(name, ("auto", "cpu", "cuda"))
        raise BadConfig(f"device = {name!r}: expected auto, cpu or cuda{near}")
    if asked[1] and int(asked[1]) >= torch.cuda.device_count():
        raise BadConfig(f"device = {name!r}: expected at most cuda:{torch.cuda.device_count() - 1}, the last GPU here")
    return torch.device(name)


def uses_bf16(training: Training, device: torch.device) -> bool:
    """Whether this training runs under bf16 autocast on this device."""
    if training.precision != "auto":
        return training.precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Instructions for bf16 without tiles (AVX-512 BF16) took 1.1 to 1.6 times as long as fp32; docs/speed.md.
    return bool(torch.cpu._is_amx_tile_supported())
