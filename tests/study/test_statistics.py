"""Comparisons against SciPy, textbook values, and what must hold whatever the numbers are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from study.statistics import compare, detectable, hedges, holm, verdict

ARMS = {
    "brush": (0.61, 0.58, 0.64, 0.60, 0.63),
    "circle": (0.42, 0.40, 0.47, 0.43, 0.44),
    "square": (0.43, 0.39, 0.46, 0.44, 0.45),
}


def test_p_values_are_those_of_a_paired_t_test() -> None:
    for pair in compare(ARMS):
        expected = stats.ttest_rel(ARMS[pair.first], ARMS[pair.second])
        assert pair.p == pytest.approx(expected.pvalue)
        interval = expected.confidence_interval(0.95)
        assert (pair.difference.low, pair.difference.high) == pytest.approx(interval)


def test_sign_flips_are_exact() -> None:
    """All five differences have one sign: of 32 assignments only two are as extreme."""
    by_name = {(pair.first, pair.second): pair for pair in compare(ARMS)}
    assert by_name["brush", "circle"].p_exact == pytest.approx(2 / 32)
    found = by_name["square", "circle"]
    expected = stats.permutation_test(
        (ARMS["square"], ARMS["circle"]), lambda a, b: np.mean(a - b), permutation_type="samples", vectorized=False
    )
    assert found.p_exact == pytest.approx(expected.pvalue)


def test_holm_is_step_down() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_only_raises(ps: list[float]) -> None:
    found = np.array(holm(ps))
    assert (found >= np.array(ps) - 1e-12).all()
    assert (found <= 1).all()
    order = np.argsort(ps, kind="stable")
    assert (np.diff(found[order]) >= 0).all()


def test_the_effect_is_corrected_for_few_seeds() -> None:
    differences = [0.1, 0.2, 0.3, 0.2, 0.2]
    assert hedges(differences) == pytest.approx(0.2 / np.std(differences, ddof=1) * (1 - 3 / 15))
    assert hedges([0.1, 0.1, 0.1]) is None


def test_words_name_the_best_only_where_it_is_apart_from_all() -> None:
    words = verdict(ARMS, compare(ARMS))
    assert words.startswith("brush is clearly best: apart from every other arm (")
    without = {name: values for name, values in ARMS.items() if name != "brush"}
    assert verdict(without, compare(without)).startswith(
        "No clear winner: square has the highest mean, 0.4340, but is not clearly above circle."
    )
    near = ARMS | {"polygon": (0.60, 0.59, 0.63, 0.61, 0.62)}
    words = verdict(near, compare(near))
    assert words.startswith("No clear winner: brush")
    assert "not clearly above polygon; it is clearly above" in words
    assert "Also apart: polygon above" in words


def test_what_would_have_been_found() -> None:
    """A pair shifted by the detectable difference is just apart; here there is one pair, so nothing is corrected."""
    noise = np.array([0.01, -0.02, 0.015, 0.0, -0.005])
    zero = np.zeros(5)
    least, most = detectable({"a": noise, "b": zero})
    assert least == most
    shifted = noise - noise.mean()
    assert compare({"a": shifted + 1.01 * least, "b": zero})[0].apart
    assert not compare({"a": shifted + 0.99 * least, "b": zero})[0].apart


def test_each_pair_needs_a_difference_of_its_own() -> None:
    noise = np.array([0.01, -0.02, 0.015, 0.0, -0.005])
    values = {"a": noise, "b": np.zeros(5), "c": 10 * noise}
    least, most = detectable(values)
    assert most == pytest.approx(10 * least)
    assert f"about {least:.3f} to {most:.3f}, by pair" in verdict(values, compare(values))


def test_arms_without_spread() -> None:
    same = {"a": (0.5, 0.5, 0.5), "b": (0.5, 0.5, 0.5), "c": (0.4, 0.4, 0.4)}
    pairs = {(pair.first, pair.second): pair for pair in compare(same)}
    assert pairs["a", "b"].p == 1.0
    assert pairs["a", "c"].p == 0.0
    with pytest.raises(ValueError, match="two arms"):
        compare({"a": (0.1, 0.2)})


def test_no_objectives_differ_by_more_than_one() -> None:
    wild = {"sure": (0.50, 0.51, 0.50), "near": (0.40, 0.42, 0.41), "wild": (0.10, 0.95, 0.20)}
    least, most = detectable(wild)
    assert least < 1 < most
    assert f"differences of about {least:.3f} here at best, and none of the" in verdict(wild, compare(wild))
    hopeless = {"wild": wild["wild"], "sure": wild["sure"]}
    assert "3 seeds can show no difference here" in verdict(hopeless, compare(hopeless))
