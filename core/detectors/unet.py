"""The U-Net of Fig. 2."""

from math import gcd
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.detectors.rectified import can_join, can_rectify, joined, rectified, rectified_and_halved

Norm = Literal["batch", "instance", "group", "none"]


def normalise(norm: Norm, channels: int) -> nn.Module:
    """A layer that normalises so many channels."""
    match norm:
        case "batch":
            return nn.BatchNorm2d(channels)
        case "instance":
            return nn.InstanceNorm2d(channels, affine=True)
        case "group":
            return nn.GroupNorm(gcd(8, channels), channels)
        case "none":
            return nn.Identity()


class Convolutions(nn.Sequential):
    """Two convolutions, each normalised and rectified."""

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to as many planes as the second convolution has."""
        convolution, norm, rectifier, *second = self
        features = _normal(convolution(features), norm, rectifier)
        convolution, norm, rectifier = second
        return _normal(convolution(features), norm, rectifier)

    def and_halved(self, features: Tensor, pool: nn.Module) -> tuple[Tensor, Tensor]:
        """What `forward` returns, and the same pooled by squares of 2x2."""
        convolution, norm, rectifier, *second = self
        features = _normal(convolution(features), norm, rectifier)
        convolution, norm, rectifier = second
        features = convolution(features)
        if can_rectify(norm, features):
            return rectified_and_halved(cast(nn.BatchNorm2d, norm), features)
        features = rectifier(norm(features))
        return features, pool(features)


def _normal(features: Tensor, norm: nn.Module, rectifier: nn.Module) -> Tensor:
    if can_rectify(norm, features):
        return rectified(cast(nn.BatchNorm2d, norm), features)
    rectified_by_torch: Tensor = rectifier(norm(features))
    return rectified_by_torch


def _convolutions(inputs: int, outputs: int, norm: Norm) -> Convolutions:
    """Two 3x3 convolutions, each normalised and rectified."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        convolution = nn.Conv2d(channels, outputs, 3, padding=1)
        if norm in ("batch", "instance"):
            convolution.bias = None  # they take away a channel's mean, and with it what a bias would add
        layers += [convolution, normalise(norm, outputs), nn.ReLU(inplace=True)]
    return Convolutions(*layers)


def _with_skip(skip: Tensor, features: Tensor, layer: nn.ConvTranspose2d) -> Tensor:
    """The skip joined with what the layer makes of the features.

    The layer's bias is added apart: oneDNN computes that one's gradient by slow reference code.
    """
    enlarged, bias = functional.conv_transpose2d(features, layer.weight, stride=2), cast(Tensor, layer.bias)
    if can_join(skip, enlarged):
        return joined(skip, enlarged, bias)
    return torch.cat([skip, enlarged.add_(bias[:, None, None])], 1)


class UNet(nn.Module):
    """Channels base, 2 base, ... down `depth` max-poolings and back up by transposed convolutions; `outputs` planes,
    which for a segmenter are the two logits normal and outlier.

    The paper: base 32 and depth 4, so 32, 64, 128, 256, 512 and back. It names neither normalisation nor
    initialisation; ours are BatchNorm and Kaiming.
    """

    def __init__(self, base: int = 32, depth: int = 4, norm: Norm = "batch", outputs: int = 2) -> None:
        super().__init__()
        widths = [base * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            _convolutions(inputs, outputs, norm) for inputs, outputs in zip([1, *widths[:-2]], widths[:-1], strict=True)
        )
        self.bottom = _convolutions(widths[-2], widths[-1], norm)
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in widths[-2::-1])
        self.up = nn.ModuleList(_convolutions(2 * width, width, norm) for width in widths[-2::-1])
        self.output = nn.Conv2d(base, outputs, 1)
        self.pool = nn.MaxPool2d(2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.output.weight, std=0.01)
        if outputs == 2:
            # Begin at "no outlier anywhere", with the share that outliers have: there is no guess to unlearn.
            self.output.bias = nn.Parameter(torch.tensor([1.5, -1.5]))

    def forward(self, image: Tensor) -> Tensor:
        """(B, 1, H, W) to (B, outputs, H, W). H and W must be multiples of 2**depth."""
        skips: list[Tensor] = []
        features = image
        for block in self.down:
            skip, features = cast(Convolutions, block).and_halved(features, self.pool)
            skips.append(skip)
        features = self.bottom(features)
        for enlarge, block, skip in zip(self.enlarge, self.up, reversed(skips), strict=True):
            features = block(_with_skip(skip, features, cast(nn.ConvTranspose2d, enlarge)))
        planes: Tensor = self.output(features)
        return planes
