"""A causal prior over maps of codes: a gated PixelCNN (van den Oord et al., 2016) that knows where in the map it is.

Two stacks of convolutions see what comes before a place in reading order: one the rows above, one what lies to the
left. They see no further by padding and shifting, so that no weight is masked and none is wasted.
"""

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


class _Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.above = nn.Conv2d(width, 2 * width, (_REACH + 1, 2 * _REACH + 1))
        self.left = nn.Conv2d(width, 2 * width, (1, _REACH + 1))
        self.across = nn.Conv2d(2 * width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, above: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        # `above` at a place knows the rows above it, `left` also what lies to its left; both begin one place behind.
        rows = self.above(functional.pad(above, (_REACH, _REACH, _REACH, 0)))
        gated = _gate(self.left(functional.pad(left, (_REACH, 0, 0, 0))) + self.across(rows))
        return above + _gate(rows), left + self.out(gated)


def _gate(features: Tensor) -> Tensor:
    value, gate = features.chunk(2, 1)
    return value.tanh() * gate.sigmoid()


def _down(planes: Tensor) -> Tensor:
    """The rows above: a place sees its neighbour above instead of itself."""
    return functional.pad(planes, (0, 0, 1, 0))[:, :, :-1]


def _right(planes: Tensor) -> Tensor:
    return functional.pad(planes, (1, 0, 0, 0))[:, :, :, :-1]
