"""Equations 1 and 2, the epsilon rule, labels, and that a record is all there is to a pseudo-outlier."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import ROBUST
from core.synthesis import Brush, Change, Circle, Mix, Noise, Scale, Shift, Square, Synthesis
from core.synthesis.pseudo_outlier import MAX_TRIES
from tests.conftest import head

SLICE = head(1, 64) / np.float32(255)
seeds = st.integers(0, 2**32 - 1)
masks = st.sampled_from([Brush(), Circle(), Square()])


def test_equation_1() -> None:
    image = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    np.testing.assert_allclose(Change("shift", offset=0.3).apply(image), np.clip(image + 0.3, 0, 1), atol=1e-6)
    np.testing.assert_allclose(Change("scale", gain=-0.4).apply(image), image * 0.6, atol=1e-6)
    noisy = Change("noise", noise_std=0.5, noise_seed=7)
    np.testing.assert_allclose(noisy.apply(image), np.clip(image + noisy.noise(4, 4), 0, 1), atol=1e-6)


def test_noise_has_its_standard_deviation() -> None:
    noise = Change("noise", noise_std=0.3, noise_seed=1).noise(256, 256)
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(0.3, rel=0.02)


def test_the_mix_follows_its_weights() -> None:
    mix = Mix(Noise(weight=1.0), Shift(weight=3.0), Scale(weight=0.0))
    rng = np.random.default_rng(0)
    names = [mix.decide(rng).name for _ in range(2000)]
    assert names.count("scale") == 0
    assert names.count("shift") / 2000 == pytest.approx(0.75, abs=0.03)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, epoch=st.integers(0, 1000), row=st.integers(0, 10**6), mask=masks, edge=st.floats(0, 4))
def test_a_pseudo_outlier_follows_from_seed_epoch_and_row(
    seed: int, epoch: int, row: int, mask: Brush | Circle | Square, edge: float
) -> None:
    synthesis = Synthesis(mask=mask, edge=edge)
    outlier, drawn = synthesis.pseudo_outlier(SLICE, seed, epoch, row)
    again, redrawn = synthesis.pseudo_outlier(SLICE, seed, epoch, row)
    assert outlier is not None
    assert again is not None
    np.testing.assert_array_equal(drawn.image, redrawn.image)
    replayed = synthesis.draw(outlier, SLICE)
    np.testing.assert_array_equal(drawn.image, replayed.image)
    np.testing.assert_array_equal(drawn.label, replayed.label)
    assert drawn.image.dtype == np.float32
    assert 0 <= drawn.image.min() <= drawn.image.max() <= 1
    assert np.abs(drawn.image - SLICE).max() >= synthesis.epsilon or outlier.forced


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_a_hard_mask_changes_nothing_outside_itself(seed: int) -> None:
    outlier, drawn = Synthesis().pseudo_outlier(SLICE, seed, 1, 0)
    assert outlier is not None
    outside = outlier.outline.draw(64, 64) == 0
    np.testing.assert_array_equal(drawn.image[outside], SLICE[outside])
    np.testing.assert_array_equal(drawn.label, outlier.outline.draw(64, 64))


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
    far = np.abs(drawn.image - SLICE) == 0
    assert (drawn.label[far] == 0).mean() > 0.9


def test_an_empty_slice_gets_a_visible_outlier_and_it_ends() -> None:
    only_scale = Synthesis(mix=Mix(Noise(weight=0.0), Shift(weight=0.0), Scale()))
    empty = np.zeros((32, 32), np.float32)
    outlier, drawn = only_scale.pseudo_outlier(empty, 0, 1, 0)
    assert outlier is not None
    assert (outlier.forced, outlier.tries) == (True, MAX_TRIES)
    assert drawn.image.max() >= only_scale.epsilon
    assert drawn.label.any()


def test_the_share_of_slices_with_an_outlier_is_the_probability() -> None:
    synthesis = Synthesis(probability=0.3)
    found = [synthesis.pseudo_outlier(SLICE, 0, 1, row)[0] is not None for row in range(600)]
    assert np.mean(found) == pytest.approx(0.3, abs=0.06)
    _, drawn = synthesis.pseudo_outlier(SLICE, 0, 1, found.index(False))
    assert not drawn.label.any()
