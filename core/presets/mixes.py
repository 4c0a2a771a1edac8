"""Mixes of transforms for presets."""

from typing import Any

from core.synthesis import Mix, Noise, Scale, Shift


def alone(**transforms: Any) -> Mix:
    """A mix of these transforms by name, without the paper's own."""
    return Mix(noise=Noise(weight=0), shift=Shift(weight=0), scale=Scale(weight=0), **transforms)
