"""Convolutional towers between slices and spatial latents, for slices of any size that can be halved `depth` times.

With group normalisation or none a slice is treated alone, in training as in use.
"""

import torch
from torch import Tensor, nn

from core.detectors.unet import Norm, normalise

SLOPE = 0.2  # of the leaky rectifiers


class Residual(nn.Module):
    """Two 3x3 convolutions around which the features also pass unchanged."""

    def __init__(self, channels: int, *, norm: Norm = "group") -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += _normalised(norm, channels)
            layers += [nn.LeakyReLU(SLOPE), nn.Conv2d(channels, channels, 3, padding=1)]
        self.change = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels, H, W) to the same shape."""
        changed: Tensor = features + self.change(features)
        return changed


class Coordinates(nn.Module):
    """Appends two planes with the row and the column, from -1 to 1, so that convolutions know where they are."""

    def forward(self, planes: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C + 2, H, W)."""
        count, _, height, width = planes.shape
        # Centres of the pixels, so that also a single row has a place.
        rows = (2 * torch.arange(height, device=planes.device, dtype=planes.dtype) + 1) / height - 1
        columns = (2 * torch.arange(width, device=planes.device, dtype=planes.dtype) + 1) / width - 1
        return torch.cat(
            [
                planes,
                rows[None, None, :, None].expand(count, 1, height, width),
                columns[None, None, None, :].expand(count, 1, height, width),
            ],
            1,
        )


def down(base: int, depth: int, outputs: int, *, norm: Norm = "group") -> nn.Sequential:
    """Slices (B, 1, H, W) to (B, outputs, H / 2**depth, W / 2**depth) through base, 2 base, ... channels."""
    layers: list[nn.Module] = [nn.Conv2d(1, base, 3, padding=1)]
    for width in (base * 2**level for level in range(depth)):
        layers += _normalised(norm, width)
        layers += [nn.LeakyReLU(SLOPE), nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)]
    top = base * 2**depth
    layers += [Residual(top, norm=norm), Residual(top, norm=norm)]
    layers += _normalised(norm, top)
    return nn.Sequential(*layers, nn.LeakyReLU(SLOPE), nn.Conv2d(top, outputs, 1))


def up(inputs: int, base: int, depth: int) -> nn.Sequential:
    """Latents (B, inputs, h, w) to one plane (B, 1, h * 2**depth, w * 2**depth), the way back of `down`."""
    top = base * 2**depth
    layers: list[nn.Module] = [nn.Conv2d(inputs, top, 3, padding=1), Residual(top), Residual(top)]
    for width in (base * 2**level for level in reversed(range(depth))):
        layers += [normalise("group", 2 * width), nn.LeakyReLU(SLOPE)]
        # Enlarged, then convolved: transposed convolutions leave a chequerboard that a critic learns first.
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(2 * width, width, 3, padding=1)]
    return nn.Sequential(*layers, normalise("group", base), nn.LeakyReLU(SLOPE), nn.Conv2d(base, 1, 3, padding=1))


def _normalised(norm: Norm, channels: int) -> list[nn.Module]:
    return [] if norm == "none" else [normalise(norm, channels)]
