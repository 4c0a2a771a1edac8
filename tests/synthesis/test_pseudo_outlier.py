"""Equation 2, the epsilon rule, labels, and that a record is all there is to a pseudo-outlier."""

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from core.presets.segmenting import MANY_TASKS, ROBUST
from core.synthesis import (
    Brush,
    Circle,
    Drawn,
    Foreign,
    Mask,
    Mix,
    Noise,
    PseudoOutlier,
    Scale,
    Shift,
    Streams,
    Synthesis,
)
from core.synthesis.pseudo_outlier import MAX_TRIES
from tests.conftest import head
from tests.synthesis.lending import Lender

SLICE = head(1, 64) / np.float32(255)
EMPTY = np.zeros((32, 32), np.float32)
SCALE_ONLY = Mix(Noise(weight=0.0), Shift(weight=0.0), Scale())
seeds = st.integers(0, 2**32 - 1)
masks = st.sampled_from([kind() for kind in get_args(Mask)])
labels = st.sampled_from(["mask", "changed", "soft", "saturating"])


@settings(max_examples=60, deadline=None)
@given(
    seed=seeds, epoch=st.integers(0, 1000), row=st.integers(0, 10**6), mask=masks, edge=st.floats(0, 4), label=labels
)
def test_a_pseudo_outlier_follows_from_seed_epoch_and_row(
    seed: int, epoch: int, row: int, mask: Mask, edge: float, label: str
) -> None:
    synthesis = Synthesis(mask=mask, edge=edge, label=label)
    outlier, drawn = synthesis.pseudo_outlier(SLICE, seed, epoch, row)
    _, again = synthesis.pseudo_outlier(SLICE, seed, epoch, row)
    assert outlier is not None
    replayed = synthesis.draw(outlier, SLICE)
    for other in (again, replayed):
        np.testing.assert_array_equal(drawn.image, other.image)
        np.testing.assert_array_equal(drawn.label, other.label)
    assert (drawn.image.dtype, drawn.label.dtype) == (np.float32, np.float32)
    assert 0 <= drawn.image.min() <= drawn.image.max() <= 1
    assert 0 <= drawn.label.min() <= drawn.label.max() <= 1
    if label in {"mask", "changed"}:
        assert set(np.unique(drawn.label)) <= {0, 1}


@settings(max_examples=60, deadline=None)
@given(seed=seeds, mask=masks, epsilon=st.floats(0.01, 0.5), label=labels)
def test_every_pseudo_outlier_shows_by_epsilon(seed: int, mask: Mask, epsilon: float, label: str) -> None:
    synthesis = Synthesis(mask=mask, epsilon=epsilon, label=label)
    outlier, drawn = synthesis.pseudo_outlier(SLICE, seed, 1, 0)
    assert outlier is not None
    assert 1 <= outlier.tries <= MAX_TRIES
    assert np.abs(drawn.image - SLICE).max() >= np.float32(epsilon)


def test_seed_epoch_and_row_each_matter() -> None:
    drawn = [Synthesis().pseudo_outlier(SLICE, *key)[1].image for key in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]]
    assert len({image.tobytes() for image in drawn}) == 4


@settings(max_examples=40, deadline=None)
@given(seed=seeds, mask=masks)
def test_a_hard_mask_changes_nothing_outside_itself(seed: int, mask: Mask) -> None:
    outlier, drawn = Synthesis(mask=mask).pseudo_outlier(SLICE, seed, 1, 0)
    assert outlier is not None
    hard = outlier.outline.draw(64, 64)
    np.testing.assert_array_equal(drawn.label, hard)
    np.testing.assert_array_equal(drawn.image[hard == 0], SLICE[hard == 0])
    inside = hard > 0
    np.testing.assert_allclose(drawn.image[inside], outlier.change.apply(SLICE)[inside], atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_a_soft_edge_fades_between_slice_and_change(seed: int) -> None:
    outlier, drawn = Synthesis(edge=4.0).pseudo_outlier(SLICE, seed, 1, 0)
    assert outlier is not None
    changed = outlier.change.apply(SLICE)
    low, high = np.minimum(changed, SLICE), np.maximum(changed, SLICE)
    assert (drawn.image >= low - 1e-6).all()
    assert (drawn.image <= high + 1e-6).all()


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_robust_labels_only_what_changed_and_lies_on_tissue(seed: int) -> None:
    synthesis = replace(ROBUST.synthesis, probability=1.0)
    outlier, drawn = synthesis.pseudo_outlier(SLICE, seed, 1, 0)
    assert outlier is not None
    assert drawn.label.any()
    if not outlier.forced:
        inside = outlier.outline.draw(64, 64) > 0
        assert (SLICE[inside] > 0).mean() >= synthesis.min_foreground
    # Every labelled pixel has a visible change within two pixels of itself.
    changed = np.pad(np.abs(drawn.image - SLICE), 2)
    nearby = np.lib.stride_tricks.sliding_window_view(changed, (5, 5)).max((2, 3))
    assert nearby[drawn.label > 0].min() > synthesis.epsilon / 4


@pytest.mark.parametrize("label", ["mask", "changed"])
@pytest.mark.parametrize("side", [16, 32, 128])
def test_an_empty_slice_gets_a_visible_outlier_and_it_ends(side: int, label: str) -> None:
    synthesis = Synthesis(mix=SCALE_ONLY, label=label)
    empty = np.zeros((side, side), np.float32)
    outlier, drawn = synthesis.pseudo_outlier(empty, 0, 1, 0)
    assert outlier is not None
    assert (outlier.forced, outlier.tries) == (True, MAX_TRIES)
    assert drawn.image.max() >= synthesis.epsilon
    assert drawn.label.any()


def test_on_an_empty_slice_the_whole_draw_is_repeated_not_c_alone() -> None:
    """Scaling 0 never shows; redrawing only c would force one slice in three."""
    found = [Synthesis().pseudo_outlier(EMPTY, 0, 1, row)[0] for row in range(100)]
    assert not any(outlier.forced for outlier in found if outlier)
    assert {outlier.change.name for outlier in found if outlier} == {"noise", "shift"}
    assert np.mean([outlier.tries for outlier in found if outlier]) > 1.5


def test_a_slice_without_room_for_the_mask_is_forced_onto_its_tissue() -> None:
    narrow = EMPTY.copy()
    narrow[15:17, 15:17] = 0.5
    outlier, drawn = Synthesis(min_foreground=1.0).pseudo_outlier(narrow, 0, 1, 0)
    assert outlier is not None
    assert outlier.forced
    assert drawn.label[15:17, 15:17].any()


@pytest.mark.parametrize(("grey", "towards"), [(0.0, 1), (0.45, 1), (0.55, -1)])
def test_a_forced_outlier_is_a_disc_shifted_visibly_towards_mid_grey(grey: float, towards: int) -> None:
    synthesis = Synthesis(mix=SCALE_ONLY, epsilon=0.1, min_foreground=1.0)
    narrow = EMPTY.copy()
    narrow[9, 20] = grey
    forced = [synthesis.pseudo_outlier(narrow, 0, 1, row)[0] for row in range(100)]
    assert all(outlier and outlier.forced and outlier.outline.width == 16 * 32 / 128 for outlier in forced)
    shifts = np.array([towards * outlier.change.offset for outlier in forced if outlier])
    assert shifts.min() == pytest.approx(2 * 0.1)
    assert np.mean(shifts > 1) == pytest.approx(0.32, abs=0.15)  # |N(0, 1)|
    if grey:
        assert {tuple(outlier.outline.centre) for outlier in forced if outlier} == {(9, 20)}


def test_the_share_of_slices_with_an_outlier_is_the_probability() -> None:
    synthesis = Synthesis(probability=0.3)
    found = [synthesis.pseudo_outlier(SLICE, 0, 1, row)[0] is not None for row in range(600)]
    assert np.mean(found) == pytest.approx(0.3, abs=0.06)
    clean = found.index(False)
    _, drawn = synthesis.pseudo_outlier(SLICE, 0, 1, clean)
    np.testing.assert_array_equal(drawn.image, SLICE)
    assert not drawn.label.any()


@pytest.mark.parametrize(
    "synthesis",
    [
        Synthesis(),
        Synthesis(epsilon=0.5, count=3, probability=0.7),
        Synthesis(mix=SCALE_ONLY, epsilon=0.5, min_foreground=0.9),
        ROBUST.synthesis,
        MANY_TASKS.synthesis,
    ],
    ids=["paper", "several", "forced", "robust", "many-tasks"],
)
def test_a_slice_does_not_depend_on_those_beside_it(synthesis: Synthesis) -> None:
    images = np.stack([head(row, 64) for row in range(12)]) / np.float32(255)
    labels, rows = np.zeros_like(images), [5, 900, 2, *range(20, 29)]
    drawn = [Drawn(*pair) for pair in zip(images.copy(), labels, strict=True)]
    together = synthesis.paste(drawn, Streams(3, 4), rows, Lender())
    for image, row, outlier, pair in zip(images, rows, together, drawn, strict=True):
        alone, mine = synthesis.pseudo_outlier(image, 3, 4, row, Lender())
        np.testing.assert_array_equal(mine.image, pair.image)
        np.testing.assert_array_equal(mine.label, pair.label)
        assert _facts(alone) == _facts(outlier)


def _facts(outlier: PseudoOutlier | None) -> list[tuple[Any, ...]]:
    return [(one.change, one.edge, one.tries, one.forced) for one in outlier.layers] if outlier else []


def test_the_paper_perturbs_every_slice() -> None:
    assert all(Synthesis().pseudo_outlier(SLICE, 0, 1, row)[0] is not None for row in range(200))


@pytest.mark.parametrize(("height", "width"), [(32, 64), (64, 32)])
def test_labels_lie_anywhere_in_a_frame_that_is_not_square(height: int, width: int) -> None:
    slices = np.full((height, width), 0.5, np.float32)
    labels = [Synthesis(mask=Circle()).pseudo_outlier(slices, 0, 1, row)[1].label for row in range(600)]
    assert np.count_nonzero(sum(labels)) > 0.99 * height * width


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_number_of_pseudo_outliers_is_uniform_from_one(count: int) -> None:
    found = [Synthesis(count=count).pseudo_outlier(SLICE, 0, 1, row)[0] for row in range(300)]
    numbers = np.bincount([len(outlier.layers) for outlier in found if outlier], minlength=count + 1)
    np.testing.assert_allclose(numbers / 300, [0, *[1 / count] * count], atol=0.1)


@pytest.mark.parametrize("mix", [Mix(), SCALE_ONLY], ids=["paper", "forced"])
def test_tries_count_the_masks_that_were_drawn(mix: Mix, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, decide = [], Brush.decide_each
    monkeypatch.setattr(Brush, "decide_each", lambda *given: drawn.append(given) or decide(*given))
    for row in range(20):
        drawn.clear()
        outlier, _ = Synthesis(mix=mix).pseudo_outlier(EMPTY, 0, 1, row)
        assert outlier is not None
        assert outlier.tries == len(drawn)
        assert outlier.forced == (mix is SCALE_ONLY)


@pytest.mark.parametrize("label", ["changed", "soft", "saturating"])
def test_a_label_follows_from_the_mean_change_around_each_pixel(label: str) -> None:
    foreign = Mix(Noise(weight=0.0), Shift(weight=0.0), Scale(weight=0.0), foreign=Foreign(weight=1.0))
    synthesis = Synthesis(mask=Circle(min_radius=20.0), mix=foreign, epsilon=0.01, label=label)
    for row in range(20):
        outlier, drawn = synthesis.pseudo_outlier(SLICE, 0, 1, row, Lender())
        assert outlier is not None
        near = ndimage.uniform_filter(np.abs(drawn.image - SLICE).astype(np.float64), 5, mode="constant")
        value = {
            "changed": 1.0,
            "soft": getattr(outlier.change, "factor", 1.0),
            "saturating": 1 / (1 + np.exp(-(255 * near - 4) / 2)),
        }[label]
        clear = np.abs(near - 0.01 / 4) > 1e-6
        expected = (near > 0.01 / 4) * (outlier.outline.draw(64, 64) > 0) * value
        np.testing.assert_allclose(drawn.label[clear], expected[clear], atol=1e-4)
