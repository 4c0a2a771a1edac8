"""Equation 1, transform by transform, and the mix in which they occur."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.synthesis import Change, Mix, Noise, Scale, Shift

IMAGE = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
amounts = st.floats(-10, 10, allow_subnormal=False)


@given(c=amounts)
def test_shift_is_g_of_i_plus_c(c: float) -> None:
    expected = np.clip(IMAGE.astype(np.float64) + c, 0, 1)
    np.testing.assert_allclose(Change("shift", offset=c).apply(IMAGE), expected, atol=1e-6)


@given(c=amounts)
def test_scale_is_g_of_i_plus_i_times_c(c: float) -> None:
    expected = np.clip(IMAGE.astype(np.float64) + IMAGE * c, 0, 1)
    np.testing.assert_allclose(Change("scale", gain=c).apply(IMAGE), expected, atol=2e-6)


@given(std=st.floats(0.01, 5), seed=st.integers(0, 2**63 - 1))
def test_noise_is_g_of_i_plus_n(std: float, seed: int) -> None:
    change = Change("noise", noise_std=std, noise_seed=seed)
    found = change.apply(IMAGE)
    np.testing.assert_allclose(found, np.clip(IMAGE.astype(np.float64) + change.noise(8, 8), 0, 1), atol=1e-6)
    np.testing.assert_array_equal(found, change.apply(IMAGE))


def test_a_change_leaves_its_image_alone() -> None:
    before = IMAGE.copy()
    for change in (Change("shift", offset=0.5), Change("scale", gain=0.5), Change("noise", noise_std=0.5)):
        change.apply(IMAGE)
    np.testing.assert_array_equal(IMAGE, before)


def test_noise_is_independent_and_has_its_standard_deviation() -> None:
    noise = Change("noise", noise_std=0.3, noise_seed=1).noise(256, 256)
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(0.3, rel=0.02)
    assert np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1] == pytest.approx(0, abs=0.02)
    assert not np.array_equal(noise, Change("noise", noise_std=0.3, noise_seed=2).noise(256, 256))


@pytest.mark.parametrize(("member", "quantity"), [(Shift(std=0.4), "offset"), (Scale(std=0.4), "gain")])
def test_c_is_normal_with_its_standard_deviation(member: Shift | Scale, quantity: str) -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([getattr(member.decide(rng), quantity) for _ in range(4000)])
    assert drawn.mean() == pytest.approx(0, abs=0.02)
    assert drawn.std() == pytest.approx(0.4, rel=0.05)


def test_the_papers_mix_is_uniform() -> None:
    names = _names(Mix(), 6000)
    for name in ("noise", "shift", "scale"):
        assert names.count(name) / 6000 == pytest.approx(1 / 3, abs=0.025)


def test_the_mix_follows_its_weights() -> None:
    names = _names(Mix(Noise(weight=1.0), Shift(weight=3.0), Scale(weight=0.0)), 4000)
    assert names.count("scale") == 0
    assert names.count("shift") / 4000 == pytest.approx(0.75, abs=0.025)


def test_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one must be positive"):
        Mix(Noise(weight=0.0), Shift(weight=0.0), Scale(weight=0.0))


def _names(mix: Mix, count: int) -> list[str]:
    rng = np.random.default_rng(0)
    return [mix.decide(rng).name for _ in range(count)]
