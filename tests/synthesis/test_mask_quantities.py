"""What the mask families draw: each quantity from its whole range and not beyond, in pixels at 128 a side."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from core.synthesis import Blob, Circle, Ellipse, FreeForm, Mask, Parallelogram, Polygon, Rectangle, Scar, Square


def _drawn(mask: Mask, count: int = 1000, side: int = 128) -> list[Any]:
    rng = np.random.default_rng(0)
    return [mask.decide(rng, side, side) for _ in range(count)]


def _fills(values: Any, low: float, high: float) -> None:
    """Spread evenly from one end to the other."""
    places = (np.asarray(values) - low) / (high - low)
    assert -1e-9 <= places.min() < 0.01
    assert 0.99 < places.max() <= 1 + 1e-9
    assert np.mean(places) == pytest.approx(0.5, abs=0.03)


def _edges(points: np.ndarray) -> np.ndarray:
    """From each corner to the next, (P, 2)."""
    return np.roll(points, -1, 0) - points


@pytest.mark.parametrize(
    ("mask", "size", "low", "high"),
    [
        (Circle(), lambda one: one.width / 2, 4, 20),
        (Square(), lambda one: 2 * one.half, 8, 36),
        (Ellipse(), lambda one: one.first, 4, 24),
        (Ellipse(), lambda one: one.second, 4, 24),
        (Ellipse(), lambda one: one.angle, 0, np.pi),
        (Blob(), lambda one: one.radius, 8, 24),
        (Scar(), lambda one: np.linalg.norm(_edges(one.points)[0]), 2, 8),
        (Scar(), lambda one: np.linalg.norm(_edges(one.points)[1]), 5, 13),
        (Scar(), lambda one: np.rad2deg(np.arctan(np.divide(*_edges(one.points)[0]))), -45, 45),
        (Square(core=0.5), lambda one: one.row, 32, 96),
        (Square(core=0.5), lambda one: one.column, 32, 96),
    ],
)  # fmt: skip
def test_a_quantity_fills_its_range(mask: Mask, size: Callable[[Any], float], low: float, high: float) -> None:
    _fills([size(one) for one in _drawn(mask)], low, high)


def test_a_rectangle_stands_as_often_as_it_lies() -> None:
    sides = np.array([np.ptp(one.points, axis=0) for one in _drawn(Rectangle())])
    assert np.mean(sides[:, 0] > sides[:, 1]) == pytest.approx(0.5, abs=0.05)


def test_a_parallelogram_is_sheared_and_turned() -> None:
    edges = np.array([_edges(one.points)[:2] for one in _drawn(Parallelogram(shear=0.5), 3000)])
    bases, slopes = edges[:, 0], edges[:, 1]
    lengths = np.linalg.norm(bases, axis=1)
    heights = np.abs(bases[:, 0] * slopes[:, 1] - bases[:, 1] * slopes[:, 0]) / lengths
    _fills(lengths, 8, 40)
    _fills(heights, 8, 40)
    _fills((bases * slopes).sum(1) / lengths / heights, -0.5, 0.5)
    _fills(np.arctan2(bases[:, 0], bases[:, 1]), -np.pi, np.pi)


def test_a_polygon_has_even_angles_and_a_radius_for_each_corner() -> None:
    numbers, radii = set(), []
    for seed in range(1000):
        points = Polygon(smoothing=0).decide(np.random.default_rng(seed), 128, 128).points  # type: ignore[union-attr]
        away = points - np.random.default_rng(seed).random(2) * 128  # its centre, which is drawn first
        heading = np.unwrap(np.arctan2(away[:, 0], away[:, 1]))
        np.testing.assert_allclose(np.diff(heading), 2 * np.pi / len(points))
        numbers.add(len(points))
        radii += np.hypot(*away.T).tolist()
    assert numbers == set(range(5, 13))
    _fills(radii, 4, 20)


def test_smoothing_cuts_each_corner_a_quarter_of_the_way_along_its_edges() -> None:
    less, more = (_drawn(Polygon(smoothing=times), 50) for times in (1, 2))
    for before, after in zip(less, more, strict=True):
        edges = _edges(before.points)
        np.testing.assert_allclose(after.points[::2], before.points + edges / 4)
        np.testing.assert_allclose(after.points[1::2], before.points + edges * 3 / 4)


def test_free_form_strokes_turn_sharply_and_are_flipped_in_half_of_the_masks() -> None:
    lengths, leanings, firsts = [], [], []
    for one in _drawn(FreeForm(), side=1024):
        points = one.parts[0].points
        # A step that ends at the border was cut there.
        steps = np.diff(points, axis=0)[np.all((points[1:] > 0) & (points[1:] < 1023), 1)]
        lengths += np.hypot(*steps.T).tolist()
        steps = steps[np.hypot(*steps.T) > 0]
        leanings += (np.abs(steps[:, 1]) / np.hypot(*steps.T)).tolist()
        firsts += np.sign(steps[:1]).tolist()
        assert len(steps) < len(points) - 1 or (steps[1:, 0] * steps[:-1, 0] < 0).all()  # up and down in turn
    _fills(lengths, 0, 2 * 22.6 * 1024 / 128)
    steepness = np.rad2deg(np.arccos(leanings))
    assert steepness.min() >= 72 - 24
    assert np.median(steepness) == pytest.approx(72, abs=2)
    np.testing.assert_allclose(np.mean(np.array(firsts) > 0, axis=0), 0.5, atol=0.06)
