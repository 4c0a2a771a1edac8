"""A pseudo-outlier keeps its pixels: what (seed, epoch, row) gave in an earlier version, it gives in this one.

Digests of the pixels in 256 grey levels, so that another processor's last bit does not matter. They change only with a
deliberate change of the synthesis, which makes trainings incomparable with earlier ones.
"""

import hashlib
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from core.presets.segmenting import ROBUST
from core.synthesis import Mask, Mix, Synthesis
from tests.conftest import head
from tests.synthesis.lending import Lender

SIDE, ROWS = 64, 24
SETTINGS = {
    "paper": Synthesis(),
    "robust": replace(ROBUST.synthesis, probability=0.8),
    "soft": Synthesis(edge=2.0, label="soft", count=3),
    "saturating": Synthesis(label="saturating", epsilon=0.3),
    **{kind().kind: Synthesis(mask=kind(), min_foreground=0.3) for kind in get_args(Mask)},
    **{
        name: Synthesis(edge=1.0, mix=Mix(**{other: replace(m, weight=float(other == name)) for other, m in mix}))
        for mix in [Mix().members.items()]
        for name in Mix().members
    },
}
DIGESTS = {
    "paper": "bb3a0c3e05b740b2",
    "robust": "d9a78cd901d358ab",
    "soft": "1fa1739eca57e0e7",
    "saturating": "55bd773c1ec64b04",
    "brush": "0bc86a52add66b79",
    "free-form": "8f9c0927f863f994",
    "circle": "7f3d89e142e5d7da",
    "ellipse": "72711809522be445",
    "square": "54607a0beeb81d2d",
    "rectangle": "f1e08f5cbcf6c842",
    "scar": "b1d35a56bbf9c2fe",
    "parallelogram": "0e5dda18a0c93558",
    "polygon": "ce0ad638e6954e29",
    "blob": "7b0da426b8fc17c4",
    "whole": "64632985cf99a6ee",
    "noise": "6677e1afe03b7209",
    "shift": "4d6f7b1daee9927e",
    "scale": "053646904e81e82f",
    "gamma": "a49db689a6957868",
    "coarse": "2cd21d4540553619",
    "erase": "b322a0bd3799b565",
    "blur": "793efec2cea7762d",
    "warp": "77e226b3c8aba9c9",
    "foreign": "8e78edb76cf09299",
    "poisson": "c156ebbb10a2c3a3",
    "cutpaste": "7ab286d2db03fafe",
}


def digest(synthesis: Synthesis) -> str:
    found = hashlib.sha256()
    for row in range(ROWS):
        _, drawn = synthesis.pseudo_outlier(head(row % 8, SIDE) / np.float32(255), 7, 2, row, Lender())
        for pixels in drawn:
            found.update(np.rint(255 * pixels).astype(np.uint8).tobytes())
    return found.hexdigest()[:16]


@pytest.mark.parametrize("name", SETTINGS)
def test_pixels_are_those_of_earlier_versions(name: str) -> None:
    assert digest(SETTINGS[name]) == DIGESTS[name]
