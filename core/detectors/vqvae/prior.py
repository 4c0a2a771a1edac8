"""A causal prior over maps of codes: a gated PixelCNN (van den Oord et al., 2016) that knows where in the map it is.

Two stacks of convolutions see what comes before a place in reading order: one the rows above, one what lies to the
left. They see no further by padding and shifting, so that no weight is masked and none is wasted.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.detectors.towers import SLOPE, Coordinates

_REACH = 2  # places to each side, and rows above, that one layer adds to what it sees


class Prior(nn.Module):
    """What is likely at each place of a map (h, w) of `codes` kinds, given the places before it."""

    def __init__(self, codes: int, width: int, layers: int) -> None:
        super().__init__()
        self.names = nn.Embedding(codes, width)
        self.coordinates = Coordinates()
        self.place = nn.Conv2d(2, width, 1)
        self.layers = nn.ModuleList(_Layer(width) for _ in range(layers))
        self.head = nn.Sequential(nn.LeakyReLU(SLOPE), nn.Linear(width, width), nn.LeakyReLU(SLOPE))
        self.likely = nn.Linear(width, codes)

    def features(self, codes: Tensor) -> Tensor:
        """Codes (B, h, w) int64 to features (B, h, w, width); those of a place follow from earlier places alone."""
        seen = self.names(codes).permute(0, 3, 1, 2)
        where = self.place(self.coordinates(seen[:, :0]))
        above, left = _down(seen) + where, _right(seen) + where
        for layer in self.layers:
            above, left = layer(above, left)
        features: Tensor = left.permute(0, 2, 3, 1)
        return features

    def logits(self, features: Tensor) -> Tensor:
        """Features (..., width) to one logit for each kind of code (..., codes), float32."""
        likely: Tensor = self.likely(self.head(features))
        return likely.float()

    def surprise(self, codes: Tensor) -> Tensor:
        """Negative log likelihood in nats (B, h, w) of each code given those before it."""
        logits = self.logits(self.features(codes))
        return functional.cross_entropy(logits.permute(0, 3, 1, 2), codes, reduction="none")


class Reader:
    """The same features row by row, as codes are decided: a row costs a row, however many lie above it."""

    def __init__(self, prior: Prior, count: int, height: int, width: int) -> None:
        self._prior, self._row = prior, -1
        self._layers = cast("list[_Layer]", list(prior.layers))
        blank = prior.place.weight.new_zeros(count, len(prior.place.weight), _REACH, width)
        self._where: Tensor = prior.place(prior.coordinates(blank.new_zeros(1, 0, height, width)))
        self._kept = [blank for _ in self._layers]  # the rows above that each layer still sees
        self._across: list[Tensor] = []

    def enter(self, before: Tensor | None) -> None:
        """Go on to the next row. before: the decided codes (B, w) of the row above it, None above the first."""
        self._row += 1
        above = self._here(torch.zeros_like(self._kept[0][:, :, :1]) if before is None else self._seen(before))
        self._across = []
        for index, layer in enumerate(self._layers):
            known = torch.cat([self._kept[index], above], 2)
            self._kept[index] = known[:, :, 1:]
            above, across = layer.rows(above, known)
            self._across.append(across)

    def features(self, codes: Tensor, maps: Tensor) -> Tensor:
        """Features (N, w, width) of this row, whose codes are (N, w) in the N `maps` of the B."""
        left = self._here(_right(self._seen(codes)))
        for layer, across in zip(self._layers, self._across, strict=True):
            left = layer.along(left, across[maps])
        return left[:, :, 0].permute(0, 2, 1)

    def _seen(self, codes: Tensor) -> Tensor:
        seen: Tensor = self._prior.names(codes)
        return seen.permute(0, 2, 1)[:, :, None]

    def _here(self, seen: Tensor) -> Tensor:
        return seen + self._where[:, :, self._row, None]


class _Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.above = nn.Conv2d(width, 2 * width, (_REACH + 1, 2 * _REACH + 1))
        self.left = nn.Conv2d(width, 2 * width, (1, _REACH + 1))
        self.across = nn.Conv2d(2 * width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, above: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        # `above` at a place knows the rows above it, `left` also what lies to its left; both begin one place behind.
        above, across = self.rows(above, functional.pad(above, (0, 0, _REACH, 0)))
        return above, self.along(left, across)

    def rows(self, above: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """The next layer's `above`, and what `left` hears of it. known: `above` with the _REACH rows before it."""
        rows: Tensor = self.above(functional.pad(known, (_REACH, _REACH, 0, 0)))
        across: Tensor = self.across(rows)
        return above + _gate(rows), across

    def along(self, left: Tensor, across: Tensor) -> Tensor:
        """The next layer's `left`."""
        heard: Tensor = self.out(_gate(self.left(functional.pad(left, (_REACH, 0, 0, 0))) + across))
        return left + heard


def _gate(features: Tensor) -> Tensor:
    value, gate = features.chunk(2, 1)
    return value.tanh() * gate.sigmoid()


def _down(planes: Tensor) -> Tensor:
    """The rows above: a place sees its neighbour above instead of itself."""
    return functional.pad(planes, (0, 0, 1, 0))[:, :, :-1]


def _right(planes: Tensor) -> Tensor:
    return functional.pad(planes, (1, 0, 0, 0))[:, :, :, :-1]
