"""The two ways in which a stroke's width is drawn are one: a distance transform, and for thin strokes a dilation."""

import cv2
import numpy as np
import pytest

from core.synthesis import outlines


@pytest.mark.parametrize("radius", [0.3, 1.0, 2**0.5, 5**0.5, 3.7, float(np.float32(13**0.5)), 6.0])
def test_dilation_by_a_disc_equals_the_distance_transform(radius: float) -> None:
    rng = np.random.default_rng(0)
    line = np.zeros((40, 50), np.uint8)
    cv2.polylines(line, [rng.integers(8, 32, (6, 2)).astype(np.int32)], False, 1)
    by_distance = cv2.distanceTransform(1 - line, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius
    np.testing.assert_array_equal(outlines._within(line, radius), by_distance)
    assert by_distance.sum() >= line.sum() > 0


def test_a_stroke_outside_the_frame_draws_nothing() -> None:
    for width in (4.0, 40.0):
        assert not outlines.Stroke(np.array([[-90.0, -90.0], [-70.0, -80.0]]), width).draw(32, 32).any()
