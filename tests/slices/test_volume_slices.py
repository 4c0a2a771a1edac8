"""A volume's arrays fit each other, or are refused."""

import numpy as np
import pytest

from core.slices import VolumeSlices


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": np.zeros((2, 4, 4))},
        {"images": np.zeros((0, 4, 4), np.uint8)},
        {"masks": np.zeros((2, 4, 5), np.uint8)},
        {"masks": np.full((2, 4, 4), 2, np.uint8)},
        {"slice_index": np.zeros(3, np.int32)},
        {"families": [None]},
        {"dataset": "a/b"},
        {"subject": ""},
    ],
)
def test_slices_that_do_not_fit_are_refused(wrong: dict[str, object]) -> None:
    right = {
        "dataset": "d",
        "subject": "s",
        "volume": "v",
        "images": np.zeros((2, 4, 4), np.uint8),
        "masks": None,
        "slice_index": np.zeros(2, np.int32),
        "families": [None, None],
    }
    with pytest.raises(ValueError, match=r"images|masks|names|families"):
        VolumeSlices(**{**right, **wrong})
