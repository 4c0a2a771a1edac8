"""Equation 1, transform by transform, and the mix in which they occur."""

from collections.abc import Callable
from dataclasses import replace
from math import ceil, erf
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from core.synthesis import Affine, Mix, Noise, Place, Scale, Shift, Synthesis
from core.synthesis.applied import apply, blurred
from core.synthesis.changes import Power, Pull, Smooth, Waves, inside
from core.synthesis.outlines import Box
from core.synthesis.patches import Patch
from core.synthesis.transforms import Blur, CutPaste, Erase, Foreign, Gamma, Poisson, Transform, Warp
from tests.conftest import head
from tests.synthesis.lending import Lender, lent

HERE = Place(Box(4.0, 4.0, 0.5), 1.0)
IMAGE = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
amounts = st.floats(-10, 10, allow_subnormal=False)


@given(c=amounts)
def test_shift_is_g_of_i_plus_c(c: float) -> None:
    expected = np.clip(IMAGE.astype(np.float64) + c, 0, 1)
    np.testing.assert_allclose(Affine("shift", offset=c).apply(IMAGE), expected, atol=1e-6)


@given(c=amounts)
def test_scale_is_g_of_i_plus_i_times_c(c: float) -> None:
    expected = np.clip(IMAGE.astype(np.float64) + IMAGE * c, 0, 1)
    np.testing.assert_allclose(Affine("scale", gain=c).apply(IMAGE), expected, atol=2e-6)


@given(std=st.floats(0.01, 5), seed=st.integers(0, 2**63 - 1))
def test_noise_is_g_of_i_plus_n(std: float, seed: int) -> None:
    change = Affine("noise", noise_std=std, noise_seed=seed)
    found = change.apply(IMAGE)
    np.testing.assert_allclose(found, np.clip(IMAGE.astype(np.float64) + change.noise(8, 8), 0, 1), atol=1e-6)
    np.testing.assert_array_equal(found, change.apply(IMAGE))


def test_a_change_leaves_its_image_alone() -> None:
    before = IMAGE.copy()
    for change in (Affine("shift", offset=0.5), Affine("scale", gain=0.5), Affine("noise", noise_std=0.5)):
        change.apply(IMAGE)
    np.testing.assert_array_equal(IMAGE, before)


def test_noise_is_independent_and_has_its_standard_deviation() -> None:
    noise = Affine("noise", noise_std=0.3, noise_seed=1).noise(256, 256)
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(0.3, rel=0.02)
    assert np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1] == pytest.approx(0, abs=0.02)
    assert not np.array_equal(noise, Affine("noise", noise_std=0.3, noise_seed=2).noise(256, 256))


@pytest.mark.parametrize(("member", "quantity"), [(Shift(std=0.4), "offset"), (Scale(std=0.4), "gain")])
def test_c_is_normal_with_its_standard_deviation(member: Shift | Scale, quantity: str) -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([getattr(member.decide(rng, HERE), quantity) for _ in range(4000)])
    assert drawn.mean() == pytest.approx(0, abs=0.02)
    assert drawn.std() == pytest.approx(0.4, rel=0.05)


@pytest.mark.parametrize(
    ("member", "quantity", "low", "high"),
    [
        (Foreign(), lambda one: one.factor, 0.05, 0.95),
        (Poisson(), lambda one: one.factor, 0.05, 0.95),
        (CutPaste(), lambda one: one.gain, 0.9, 1.1),
        (CutPaste(), lambda one: one.down, 0, 1),
        (CutPaste(), lambda one: one.right, 0, 1),
        (Erase(min_value=0.2), lambda one: one.value, 0.2, 1),
        (Blur(), lambda one: one.sigma, 2 * 0.5, 8 * 0.5),
        (Warp(), lambda one: one.radius, 12 * 0.5, 32 * 0.5),
        (Warp(), lambda one: abs(one.amount), 0.3, 0.6),
        (Warp(), lambda one: one.amount > 0, 0, 1),
        (Gamma(), lambda one: abs(erf(np.log(one.exponent) / 0.7 / 2**0.5)), 0, 1),
        (Gamma(), lambda one: one.exponent > 1, 0, 1),
    ],
)
def test_a_quantity_fills_its_range(
    member: Transform, quantity: Callable[[Any], float], low: float, high: float
) -> None:
    """In pixels that are half a unit of length; a normal one by its distribution."""
    rng, place = np.random.default_rng(0), Place(Box(4.0, 4.0, 0.5), 0.5, lent(8, 8))
    drawn = np.array([quantity(member.decide(rng, place)) for _ in range(1000)], float)
    places = (drawn - low) / (high - low)
    assert -1e-9 <= places.min() < 0.01
    assert 0.99 < places.max() <= 1 + 1e-9
    assert places.mean() == pytest.approx(0.5, abs=0.04)


def test_the_papers_mix_is_uniform() -> None:
    names = _names(Mix(), 6000)
    for name in ("noise", "shift", "scale"):
        assert names.count(name) / 6000 == pytest.approx(1 / 3, abs=0.025)


def test_the_mix_follows_its_weights() -> None:
    names = _names(Mix(Noise(weight=1.0), Shift(weight=3.0), Scale(weight=0.0)), 4000)
    assert names.count("scale") == 0
    assert names.count("shift") / 4000 == pytest.approx(0.75, abs=0.025)
    names = _names(Mix(Noise(weight=1.0), Shift(weight=0.0), Scale(weight=0.0), cutpaste=CutPaste(weight=3.0)), 4000)
    assert names.count("cutpaste") / 4000 == pytest.approx(0.75, abs=0.025)


def test_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one must be positive"):
        Mix(Noise(weight=0.0), Shift(weight=0.0), Scale(weight=0.0))


def _names(mix: Mix, count: int) -> list[str]:
    rng = np.random.default_rng(0)
    return [mix.decide(rng, HERE).name for _ in range(count)]


ON = {name: replace(member, weight=1.0) for name, member in Mix().members.items()}
SLICE = head(3, 64) / np.float32(255)


def _only(name: str) -> Synthesis:
    return Synthesis(mix=Mix(**{other: replace(each, weight=float(other == name)) for other, each in ON.items()}))


@pytest.mark.parametrize("name", list(ON))
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(8, 70), width=st.integers(8, 70))
def test_a_decided_change_repeats_stays_in_range_and_leaves_its_image(
    name: str, seed: int, height: int, width: int
) -> None:
    image = np.random.default_rng(seed).random((height, width), np.float32)
    before = image.copy()
    place = Place(Box(height / 3, width / 2, 0.5), height / 128, lent(height, width))
    first, second = (ON[name].decide(np.random.default_rng(seed), place) for _ in range(2))
    assert first == second
    assert first.name == name
    assert first.words
    changed = first.apply(image)
    assert (changed.dtype, changed.shape) == (np.float32, image.shape)
    assert 0 <= changed.min() <= changed.max() <= 1
    np.testing.assert_array_equal(changed, second.apply(image))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("name", [name for name in ON if name != "poisson"])
@settings(max_examples=10, deadline=None)
@given(data=st.data(), height=st.integers(8, 40), width=st.integers(8, 40))
def test_a_window_of_a_changed_slice_is_that_of_the_whole(
    name: str, data: st.DataObject, height: int, width: int
) -> None:
    ends = st.tuples(*(st.lists(st.integers(0, size), min_size=2, max_size=2).map(sorted) for size in (height, width)))
    window, other = (tuple(slice(*each) for each in data.draw(ends)) for _ in range(2))
    place = Place(Box(height / 3, width / 2, 0.5), height / 128, lent(height, width), window)
    change = ON[name].decide(np.random.default_rng(0), place)
    image = np.random.default_rng(1).random((height, width), np.float32)
    for seen in (window, other):
        found = inside(change, image, Patch(seen, np.ones(image[seen].shape, np.uint8)))
        np.testing.assert_array_equal(found, change.apply(image)[seen])


def test_noise_is_drawn_within_its_window_alone() -> None:
    change = Affine("noise", noise_std=0.3, noise_seed=1, window=np.s_[10:40, 20:60])
    noise, grey = change.noise(64, 80), np.full((64, 80), 0.5, np.float32)
    assert noise[10:40, 20:60].std() == pytest.approx(0.3, rel=0.05)
    assert np.count_nonzero(noise) == 30 * 40
    np.testing.assert_array_equal(change.apply(grey) != grey, noise != 0)


def test_a_blur_is_a_gaussian_filter_of_each_slices_own_width() -> None:
    images, sigmas = np.random.default_rng(0).random((4, 20, 30), np.float32), (0.0, 0.7, 1.0, 2.5)
    together = blurred(torch.from_numpy(images), sigmas).numpy()
    np.testing.assert_array_equal(together[0], images[0])
    for image, found, sigma in zip(images[1:], together[1:], sigmas[1:], strict=True):
        expected = ndimage.gaussian_filter(image.astype(float), sigma, mode="constant", radius=ceil(3 * sigma))
        np.testing.assert_allclose(found, expected, atol=1e-6)
        np.testing.assert_allclose(Smooth(sigma).apply(image), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Affine("noise", noise_std=0.5), "noise of std 0.5"),
        (Affine("shift", offset=-0.254), "shift by -0.25"),
        (Affine("scale", gain=0.25), "scale by 1.25"),
        (Pull(1.0, 2.0, 12.4, 0.5), "source of 0.50 within 12 pixels"),
        (Pull(1.0, 2.0, 12.4, -0.5), "sink of 0.50 within 12 pixels"),
    ],
)
def test_a_change_says_what_it_does(change: Affine | Pull, words: str) -> None:
    assert change.words == words


@pytest.mark.parametrize("height", [64, 40])
@pytest.mark.parametrize("name", list(ON))
def test_a_batch_is_changed_as_its_elements_are_and_as_on_the_cpu(name: str, height: int) -> None:
    rng = np.random.default_rng(0)
    changes = [ON[name].decide(rng, Place(Box(*rng.uniform(10, 50, 2), 0.5), 0.5, lent(height, 64))) for _ in range(8)]
    slices = np.stack([head(index, 64)[:height] for index in range(8)]) / np.float32(255)
    together = apply(changes, torch.from_numpy(slices))
    for index, change in enumerate(changes):
        alone = apply([change], torch.from_numpy(slices[index : index + 1]))
        assert torch.equal(together[index], alone[0])
        np.testing.assert_allclose(together[index].numpy(), change.apply(slices[index]), atol=2e-5)


@pytest.mark.parametrize("name", list(ON))
def test_every_transform_makes_visible_outliers(name: str) -> None:
    found = [_only(name).pseudo_outlier(SLICE, 0, 1, row, Lender())[0] for row in range(40)]
    assert np.mean([outlier.forced for outlier in found if outlier]) < 0.3
    assert {outlier.change.name for outlier in found if outlier and not outlier.forced} == {name}


def test_a_source_pushes_outwards_and_a_sink_draws_in() -> None:
    rows, columns = np.mgrid[:65, :65]
    disc = (np.hypot(rows - 32, columns - 32) < 10).astype(np.float32)
    assert Pull(32.0, 32.0, 30.0, 0.6).apply(disc).sum() > 1.3 * disc.sum()
    assert Pull(32.0, 32.0, 30.0, -0.6).apply(disc).sum() < 0.8 * disc.sum()
    far = np.hypot(rows - 32, columns - 32) > 30
    np.testing.assert_array_equal(Pull(32.0, 32.0, 30.0, 0.6).apply(disc)[far], disc[far])


@pytest.mark.parametrize("amount", [0.6, -0.6])
def test_a_warp_at_the_border_brings_no_black_from_outside(amount: float) -> None:
    grey = np.full((32, 32), 0.5, np.float32)
    np.testing.assert_allclose(Pull(6.0, 26.0, 16.0, amount).apply(grey), grey)


def test_gamma_leaves_black_and_white_and_coarse_noise_is_coarse() -> None:
    assert Power(0.5).apply(np.array([[0.0, 0.25, 1.0]], np.float32)).tolist() == [[0.0, 0.5, 1.0]]
    noise = Waves(0.2, 16, 1).noise(128, 128)
    assert noise.std() == pytest.approx(0.2 * 0.67, rel=0.2)  # enlarging averages neighbours of the grid
    assert np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        (Erase, {"min_value": 0.9, "max_value": 0.5}, "min_value = 0.9 must not exceed max_value = 0.5"),
        (Blur, {"min_sigma": 9.0}, "min_sigma = 9.0 must not exceed max_sigma = 8.0"),
        (Warp, {"min_radius": 33.0}, "min_radius = 33.0 must not exceed max_radius = 32.0"),
    ],
)
def test_a_minimum_above_the_maximum_is_refused(kind: type, values: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        kind(**values)
