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
    "paper": "7a0d49c156834248",
    "robust": "3cee2c439521381b",
    "soft": "cf6633e3128204dc",
    "saturating": "51277d84e9590935",
    "brush": "ee8518bb85224152",
    "free-form": "06e3bf62f289e768",
    "circle": "fe67a90dd9301355",
    "ellipse": "3c53765c8192a881",
    "square": "ddd0f173818dcea0",
    "rectangle": "118512b05f0aa6a2",
    "scar": "f3f84f073779e134",
    "parallelogram": "35ded133296536a1",
    "polygon": "4aac26b17a0d41be",
    "blob": "bf0cb29b621f1af2",
    "whole": "fc2cfd7397e8cd82",
    "noise": "9d999610db36eff2",
    "shift": "7f06ad42f22cceda",
    "scale": "9c0a16d091105e2d",
    "gamma": "f5d734738d940ccf",
    "coarse": "b4c39a2167bbc56a",
    "erase": "eb9002a0a3cfd234",
    "blur": "9071943507c15f9c",
    "warp": "8883eb7814855414",
    "foreign": "27a2479732827893",
    "poisson": "e23b08cb9b23be3e",
    "cutpaste": "b7fe391907e526a3",
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
