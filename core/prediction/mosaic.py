"""A picture of a prediction: slices as the detector sees them, beside the same under the heat of the anomaly map."""

import cv2
import numpy as np
from numpy.typing import NDArray

from core.prediction.volume import Slices

_SIDE = 192  # pixels of one panel
_COLUMNS, _ROWS = 4, 4
_LOW, _HIGH = 0.16, 0.95  # heat begins where one healthy tissue pixel in ten is higher
_CONTOUR = (255, 220, 40)  # cyan, as blue, green, red: neither grey tissue nor the heat has it


def mosaic(found: Slices) -> NDArray[np.uint8]:
    """Sixteen pairs of slice and heat, evenly spread over the scored slices, as blue, green, red.

    The contour is the threshold's, where there is one. Below each pair: the slice's place and its score.
    """
    places = np.linspace(0, len(found.index) - 1, _COLUMNS * _ROWS).round().astype(int)
    pairs = [_pair(found, int(n)) for n in dict.fromkeys(places.tolist())]
    blank = np.zeros_like(pairs[0])
    pairs += [blank] * (-len(pairs) % _COLUMNS)
    rows = [np.hstack(pairs[n : n + _COLUMNS]) for n in range(0, len(pairs), _COLUMNS)]
    return np.asarray(np.vstack(rows), np.uint8)


def _pair(found: Slices, n: int) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(_enlarged(found.images[n]), cv2.COLOR_GRAY2BGR)
    values = _enlarged(found.values[n])
    share = np.clip((values - _LOW) / (_HIGH - _LOW), 0, 1)
    colours = cv2.applyColorMap(np.rint(share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    cover = 0.85 * np.clip(share * 2, 0, 1)[..., None]
    heat = np.rint(grey * (1 - cover) + colours * cover).astype(np.uint8)
    if found.predictor.threshold is not None:
        above = values >= found.predictor.calibration(found.predictor.threshold)
        outlines, _ = cv2.findContours(above.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(heat, outlines, -1, _CONTOUR, 1, cv2.LINE_AA)
    pair = np.hstack([grey, heat])
    score = found.scores[found.predictor.score][n]
    said = f"{found.predictor.preprocessing.plane} {found.index[n]}   score {score:.3f}"
    cv2.putText(pair, said, (4, _SIDE - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(pair, np.uint8)


def _enlarged(values: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(values, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR))
