"""Tissue at the edge of the frame: most likely air that is not 0, which counts as tissue and spoils the grey levels."""

import numpy as np
from numpy.typing import NDArray

AIR = 0.25
"""Share of the edge from which it is told; heads with air of 0 have at most 0.16 in the 28 that were looked at."""
_LOOKED_AT = 16  # slices of a volume, from all over it


def edge_share(images: NDArray[np.uint8]) -> float:
    """Share of tissue, 0 to 1, among the outermost pixels of a volume's slices (n,H,W)."""
    some = images[:: -(-len(images) // _LOOKED_AT)]
    edges = (some[:, 0], some[:, -1], some[:, :, 0], some[:, :, -1])
    return float(np.mean([(edge > 0).mean() for edge in edges]))
