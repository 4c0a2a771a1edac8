"""The whole frame: for corruptions that spare nothing, such as the coarse noise of denoising autoencoders."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from core.strict import STRICT
from core.synthesis.outlines import Box, Outline


@dataclass(frozen=True)
class Whole:
    """Every pixel of the frame; there is nothing to draw."""

    kind: Literal["whole"] = "whole"

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def decide(self, _rng: np.random.Generator, height: int, width: int) -> Outline:
        """A box around the frame."""
        return Box((height - 1) / 2, (width - 1) / 2, max(height, width) / 2)
