"""Outlines by OpenCV: strokes and polygons anywhere, smooth and rough levels, and the two ways of a stroke's width."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from core.synthesis import outlines
from tests.synthesis.measured import distance


@pytest.mark.parametrize("radius", [0.3, 1.0, 2**0.5, 5**0.5, 3.7, float(np.float32(13**0.5)), 6.0, 8.0])
def test_dilation_by_a_disc_equals_the_distance_transform(radius: float) -> None:
    rng = np.random.default_rng(0)
    line = np.zeros((44, 54), np.uint8)
    cv2.polylines(line, [rng.integers(9, 34, (6, 2)).astype(np.int32)], False, 1)
    by_distance = cv2.distanceTransform(1 - line, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius
    np.testing.assert_array_equal(outlines._within(line, radius), by_distance)
    assert by_distance.sum() >= line.sum() > 0


coordinates = st.floats(-70, 70, width=16)


@settings(max_examples=200, deadline=None)
@given(
    points=st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=5),
    width=st.floats(0.5, 60),
    height=st.integers(1, 40),
    side=st.integers(1, 40),
)
@example(points=[(5.0, 26.0)], width=20.0, height=12, side=12)
@example(points=[(26.0, 5.0)], width=20.0, height=12, side=12)
def test_a_stroke_anywhere_is_what_lies_within_half_its_width(
    points: list[tuple[float, float]], width: float, height: int, side: int
) -> None:
    """In the frame and beyond it, but for its border: OpenCV rounds also where it cuts off what is far away."""
    stroke = outlines.Stroke(np.array(points), width)
    inside = distance(stroke, np.argwhere(np.ones((height, side)))).reshape(height, side) - width / 2
    drawn = stroke.draw(height, side)
    assert drawn[inside < -2].all()
    assert not drawn[inside > 2].any()


@settings(max_examples=100, deadline=None)
@given(
    points=st.lists(st.tuples(st.sampled_from([-16, 0, 16, 32]), st.integers(-20, 40)), min_size=4, max_size=7),
    height=st.integers(1, 24),
    width=st.integers(1, 24),
)
def test_a_polygon_is_where_an_odd_number_of_its_triangles_is(
    points: list[tuple[int, int]], height: int, width: int
) -> None:
    """Also where vertices and borders meet pixels' centres, and beyond the frame; columns along borders are exact."""
    corners = np.array(points, np.float64)
    drawn = [
        outlines.Polygon(corners[[0, second, second + 1]]).draw(height, width) for second in range(1, len(points) - 1)
    ]
    np.testing.assert_array_equal(outlines.Polygon(corners).draw(height, width), np.sum(drawn, 0) % 2)


def test_a_triangle_holds_the_centres_within_it() -> None:
    drawn = outlines.Polygon(np.array([[-8.5, -2.5], [8.5, -2.5], [8.5, 14.5]])).draw(12, 9)
    rows, columns = np.mgrid[:12, :9]
    np.testing.assert_array_equal(drawn, (rows <= 8) & (columns < rows + 6))


def test_a_smooth_level_is_a_disc_and_a_rough_one_has_waves_of_its_grain() -> None:
    rows, columns = np.mgrid[:40, :60]
    disc = (rows - 18.3) ** 2 + (columns - 25.6) ** 2 < 2 * np.log(2) * 11**2
    np.testing.assert_array_equal(outlines.Level(18.3, 25.6, 11.0, 3.0, 0.0, 1).draw(40, 60), disc)
    for grain in (3.0, 6.0):
        # Over the whole frame a bump of this radius is 1: where the waves exceed -1/2, which is below their mean.
        drawn = outlines.Level(256.0, 256.0, 1e5, grain, 1.0, 7).draw(512, 512)
        assert drawn.mean() == pytest.approx(stats.norm.cdf(0.5), rel=0.05)
        # Rice's formula for how often a Gaussian process crosses a level.
        crossings = np.exp(-(0.5**2) / 2) / (np.pi * np.sqrt(2) * grain)
        for axis in (0, 1):
            assert np.abs(np.diff(drawn.astype(int), axis=axis)).mean() == pytest.approx(crossings, rel=0.08)
    finest = outlines.Level(256.0, 256.0, 1e5, 0.5, 1.0, 7)
    np.testing.assert_array_equal(replace(finest, grain=0.1).draw(64, 64), finest.draw(64, 64))
    assert (replace(finest, grain=0.6).draw(64, 64) != finest.draw(64, 64)).any()
