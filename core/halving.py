"""Whether a detector can halve slices as often as it does, and has something left to normalise."""

import math

from torch import nn

from core.config import Config
from core.errors import BadConfig


def require_halving(config: Config, height: int, width: int) -> None:
    """Raise BadConfig when slices of this size cannot be halved as often as the detector does."""
    side = 2**config.detector.depth
    if height % side or width % side:
        raise BadConfig(
            f"detector.depth = {config.detector.depth}: slices of {height}x{width} cannot be halved that often; "
            f"expected sides that are multiples of {side}"
        )


def require_several_pixels(detector: nn.Module, config: Config, slices: int) -> None:
    """Raise BadConfig when something is to be normalised by one pixel, as a slice is at the greatest depth."""
    norms = {type(part) for part in detector.modules()}
    smallest = slices // math.ceil(slices / config.training.batch)  # batches differ by one slice at most
    at = f"at detector.depth = {config.detector.depth}"
    if nn.InstanceNorm2d in norms:
        raise BadConfig(f"detector.norm = 'instance': {at} it sees one pixel of a slice; expected a smaller depth")
    if nn.BatchNorm2d in norms and smallest == 1:
        raise BadConfig(
            f"training.batch = {config.training.batch}: one of the batches of {slices} slices has a single one, and "
            f"{at} batch normalisation sees one pixel of it; expected another batch or a smaller depth"
        )
