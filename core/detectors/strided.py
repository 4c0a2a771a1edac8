"""Encoder and decoder without skips, by 4x4 convolutions of stride 2: what passes must fit into the latent planes.

The latent keeps its place, so slices of any size that can be halved `depth` times do.
"""

from itertools import pairwise
from typing import Literal

from torch import nn

from core.detectors.unet import normalise

# Instance normalisation would make a latent of one place constant.
StridedNorm = Literal["batch", "group", "none"]
_SLOPE = 0.2  # of the leaky rectifiers


def encoder(base: int, growth: int, depth: int, outputs: int, norm: StridedNorm) -> nn.Sequential:
    """(B, 1, H, W) to (B, outputs, H / 2**depth, W / 2**depth) through base, base * growth, ... channels."""
    layers: list[nn.Module] = []
    for inputs, width in pairwise([1, *_widths(base, growth, depth)]):
        layers.append(nn.Conv2d(inputs, width, 4, stride=2, padding=1))
        layers += [normalise(norm, width)] if inputs > 1 else []  # not of the slice itself: its grey level matters
        layers.append(nn.LeakyReLU(_SLOPE))
    layers.append(nn.Conv2d(width, outputs, 3, padding=1))
    return _initialised(nn.Sequential(*layers))


def decoder(base: int, growth: int, depth: int, inputs: int, norm: StridedNorm) -> nn.Sequential:
    """The way back: (B, inputs, h, w) to one plane (B, 1, h * 2**depth, w * 2**depth)."""
    widths = _widths(base, growth, depth)[::-1]
    layers: list[nn.Module] = [nn.Conv2d(inputs, widths[0], 3, padding=1)]
    for width, outputs in pairwise([*widths, 1]):
        layers += [normalise(norm, width), nn.LeakyReLU(_SLOPE)]
        layers.append(nn.ConvTranspose2d(width, outputs, 4, stride=2, padding=1))
    return _initialised(nn.Sequential(*layers))


def _widths(base: int, growth: int, depth: int) -> list[int]:
    return [base * growth**level for level in range(depth)]


def _initialised(layers: nn.Sequential) -> nn.Sequential:
    """Kaiming: variance passes unchanged, also where nothing is normalised."""
    for module in layers:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            # Of the 16 taps of a transposed convolution of stride 2, four meet at each pixel.
            taps = 4 if isinstance(module, nn.ConvTranspose2d) else module.kernel_size[0] ** 2
            gain = nn.init.calculate_gain("leaky_relu", _SLOPE)
            nn.init.normal_(module.weight, std=gain / (module.in_channels * taps) ** 0.5)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    nn.init.normal_(layers[-1].weight, std=0.02)  # type: ignore[arg-type]
    return layers
