"""The contract that every mask family signs."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.synthesis import (
    Blob,
    Brush,
    Circle,
    Ellipse,
    FreeForm,
    Mask,
    Parallelogram,
    Polygon,
    Rectangle,
    Scar,
    Square,
)
from core.synthesis.masks import decide_each
from core.synthesis.outlines import patches

MEMBERS: tuple[type[Mask], ...] = get_args(Mask)
CONTRADICTIONS = [
    (Brush, "min_points", 33, "max_points = 32"),
    (Brush, "min_width", 20.0, "max_width = 16.0"),
    (Brush, "min_length", 25.0, "max_length = 24.0"),
    (Circle, "min_radius", 30.0, "max_radius = 20.0"),
    (Square, "min_side", 60.0, "max_side = 36.0"),
    (FreeForm, "min_strokes", 4, "max_strokes = 3"),
    (FreeForm, "min_points", 12, "max_points = 11"),
    (FreeForm, "min_width", 21.0, "max_width = 20.0"),
    (Rectangle, "min_area", 0.2, "max_area = 0.15"),
    (Scar, "min_width", 9.0, "max_width = 8.0"),
    (Scar, "min_length", 14.0, "max_length = 13.0"),
    (Polygon, "min_points", 13, "max_points = 12"),
    (Polygon, "min_radius", 21.0, "max_radius = 20.0"),
    (Ellipse, "min_radius", 25.0, "max_radius = 24.0"),
    (Parallelogram, "min_side", 41.0, "max_side = 40.0"),
    (Blob, "min_radius", 25.0, "max_radius = 24.0"),
]


@pytest.mark.parametrize("kind", MEMBERS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(4, 96), width=st.integers(4, 96))
def test_a_decided_mask_is_binary_fills_the_frame_and_repeats(
    kind: type[Mask], seed: int, height: int, width: int
) -> None:
    first, second = (kind().decide(np.random.default_rng(seed), height, width) for _ in range(2))
    mask = first.draw(height, width)
    assert (mask.shape, mask.dtype) == ((height, width), np.uint8)
    assert set(np.unique(mask)) <= {0, 1}
    np.testing.assert_array_equal(mask, first.draw(height, width))
    np.testing.assert_array_equal(mask, second.draw(height, width))
    patch = first.patch(height, width)
    np.testing.assert_array_equal(patch.full(height, width), mask)
    np.testing.assert_array_equal(patch.widened(5, height, width).full(height, width), mask)


@pytest.mark.parametrize("kind", MEMBERS)
def test_masks_that_are_decided_and_drawn_together_are_those_of_each(kind: type[Mask]) -> None:
    together = decide_each(kind(), (np.random.default_rng(seed) for seed in range(20)), 48, 64)
    for seed, outline, patch in zip(range(20), together, patches(together, 48, 64), strict=True):
        alone = kind().decide(np.random.default_rng(seed), 48, 64)
        np.testing.assert_array_equal(patch.full(48, 64), alone.draw(48, 64))
        assert outline.centre == pytest.approx(alone.centre)


@pytest.mark.parametrize("kind", MEMBERS)
def test_hardly_any_mask_is_empty(kind: type[Mask]) -> None:
    rng = np.random.default_rng(0)
    empty = sum(not kind().decide(rng, 64, 64).draw(64, 64).any() for _ in range(300))
    assert empty <= 3


@pytest.mark.parametrize(("height", "width"), [(32, 32), (32, 40), (40, 32)])
@pytest.mark.parametrize("kind", MEMBERS)
def test_masks_lie_anywhere_in_the_frame(kind: type[Mask], height: int, width: int) -> None:
    rng = np.random.default_rng(0)
    total = sum(kind().decide(rng, height, width).draw(height, width).astype(int) for _ in range(2500))
    assert np.count_nonzero(total) > 0.99 * total.size
    quarters = total.reshape(2, height // 2, 2, width // 2).sum((1, 3))
    assert quarters.max() < 1.25 * quarters.min()


@pytest.mark.parametrize("kind", MEMBERS)
def test_lengths_follow_the_side(kind: type[Mask]) -> None:
    areas = []
    for side in (64, 192):
        rng = np.random.default_rng(1)
        areas.append(np.mean([kind().decide(rng, side, side).draw(side, side).mean() for _ in range(150)]))
    assert areas[1] == pytest.approx(areas[0], rel=0.12)


@pytest.mark.parametrize(("kind", "low", "value", "told"), CONTRADICTIONS)
def test_a_minimum_above_the_maximum_is_refused(kind: type[Mask], low: str, value: float, told: str) -> None:
    with pytest.raises(ValueError, match=f"{low} = {value} must not exceed {told}"):
        kind(**{low: value})


def test_every_family_has_its_contradictions_tested() -> None:
    pairs = {(kind, name) for kind in MEMBERS for name in kind.__dataclass_fields__ if name.startswith("min_")}
    assert pairs == {(kind, low) for kind, low, _, _ in CONTRADICTIONS}


def test_a_circle_is_a_disc_of_its_radius() -> None:
    outline = Circle(min_radius=10.0, max_radius=10.0).decide(np.random.default_rng(3), 128, 128)
    row, column = outline.points[0]
    rows, columns = np.mgrid[:128, :128]
    distance = np.hypot(rows - row, columns - column)
    drawn = outline.draw(128, 128)
    assert drawn[distance < 9].all()
    assert not drawn[distance > 11].any()


def test_an_ellipse_has_its_area_and_a_rectangle_its_aspect() -> None:
    rng = np.random.default_rng(5)
    oval = Ellipse(min_radius=10.0, max_radius=20.0).decide(rng, 512, 512)
    inside = type(oval)(256.0, 256.0, oval.first, oval.second, oval.angle).draw(512, 512)
    assert inside.sum() == pytest.approx(np.pi * oval.first * oval.second, rel=0.01)
    sides = [np.ptp(Rectangle(max_aspect=2.0).decide(rng, 128, 128).points, axis=0) for _ in range(300)]
    aspects = np.array([max(each) / min(each) for each in sides])
    assert 1 <= aspects.min() < 1.1
    assert 1.9 < aspects.max() <= 2.0
    shares = np.array([np.prod(each) for each in sides]) / 128**2
    assert 0.02 <= shares.min() < shares.max() <= 0.15


def test_free_form_strokes_have_the_published_numbers() -> None:
    rng = np.random.default_rng(6)
    drawn = [FreeForm().decide(rng, 256, 256).parts for _ in range(300)]
    assert {len(parts) for parts in drawn} == {1, 2, 3}
    strokes = [stroke for parts in drawn for stroke in parts]
    assert {len(stroke.points) - 1 for stroke in strokes} == set(range(4, 12))
    widths = np.array([stroke.width for stroke in strokes])
    assert 12 <= widths.min() < widths.max() <= 40
    steps = np.concatenate([np.linalg.norm(np.diff(stroke.points, axis=0), axis=1) for stroke in strokes])
    assert steps.max() <= 2 * np.hypot(256, 256) / 8 + 0.1


def test_a_square_is_as_wide_as_its_side() -> None:
    drawn = Square(min_side=20.0, max_side=20.0).decide(np.random.default_rng(0), 128, 128).draw(128, 128)
    rows, columns = np.nonzero(drawn)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (20, 20)
    assert drawn.sum() == 400
