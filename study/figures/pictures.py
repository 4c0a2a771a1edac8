"""Pictures of slices as WebP: contour of the truth, heat of the anomaly map. Static: they print."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 256  # pixels of one panel; slices are enlarged to it
SMALL = SIDE * 11 // 16  # the same where there are hundreds
_QUALITY = 90  # 38 to 44 dB from the original, at a half (noise) to a sixth (maps) of the size as PNG
TRUTH = (255, 220, 40)  # cyan, as blue, green, red: neither grey tissue nor the heat has it
_GAP = 4


def panel(
    image: NDArray[np.uint8] | NDArray[np.float32],
    contour: NDArray[np.uint8] | None = None,
    heat: NDArray[np.float32] | None = None,
) -> NDArray[np.uint8]:
    """One panel (SIDE, SIDE, 3). image: (H, W), uint8 or 0..1. contour: (H, W) of 0 and 1. heat: (H, W) in 0..1."""
    grey = image if image.dtype == np.uint8 else np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    drawn = cv2.cvtColor(_enlarged(grey), cv2.COLOR_GRAY2BGR)
    if heat is not None:
        share = np.clip(_enlarged(np.asarray(heat, np.float32)), 0, 1)
        colours = cv2.applyColorMap(np.rint(share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
        # Where nothing is suspected the slice shows through; the strongest places hide it almost wholly.
        cover = 0.85 * np.clip(share * 1.6, 0, 1)[..., None]
        drawn = np.rint(drawn * (1 - cover) + colours * cover).astype(np.uint8)
    if contour is not None and contour.any():
        large = cv2.resize(contour.astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        # A dark rim, or cyan would be lost on white tissue.
        cv2.drawContours(drawn, outlines, -1, (0, 0, 0), 4, cv2.LINE_AA)
        cv2.drawContours(drawn, outlines, -1, TRUTH, 2, cv2.LINE_AA)
    return np.asarray(drawn, np.uint8)


def reduced(drawn: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A panel of another size."""
    return np.asarray(cv2.resize(drawn, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def data_uri(*panels: NDArray[np.uint8]) -> str:
    """Panels of one size side by side, as one picture in a data: address."""
    return _uri(_beside(panels))


def sheet_uri(rows: Sequence[Sequence[NDArray[np.uint8]]]) -> str:
    """Rows of equally many panels, each panel reduced to half of SIDE, as one picture in a data: address."""
    drawn = [_beside([reduced(one, SIDE // 2) for one in row]) for row in rows]
    gap = np.full((_GAP, drawn[0].shape[1], 3), 128, np.uint8)
    return _uri(np.vstack([part for one in drawn for part in (one, gap)][:-1]))


def _beside(panels: Sequence[NDArray[Any]]) -> NDArray[np.uint8]:
    gap = np.full((len(panels[0]), _GAP, 3), 128, np.uint8)
    return np.hstack([part for one in panels for part in (one, gap)][:-1])


def _uri(drawn: NDArray[np.uint8]) -> str:
    fine, encoded = cv2.imencode(".webp", drawn, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    if not fine:
        raise ValueError(f"OpenCV could not encode a picture of {drawn.shape} as WebP")
    return "data:image/webp;base64," + b64encode(encoded.tobytes()).decode()


def _enlarged(values: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(values, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR))
