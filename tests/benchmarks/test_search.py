"""The replay of recorded curves, on curves that are known."""

import math

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from core.errors import BadStudy
from study.reading import parse_space
from study.records import TrialRecord
from tests.benchmarks.bench_search import Compared, Held, Surrogate, anytime, compared, learnt, noise_of

EPOCHS = 4
SPACE = parse_space(
    '[study]\ntrials = 8\n[fixed]\n"training.epochs" = 4\n[space]\n"loss.alpha" = { low = 0.0, high = 1.0 }\n', "t.toml"
)
RANGE = {"loss.alpha": optuna.distributions.FloatDistribution(0.0, 1.0)}


def _recorded(number: int, epochs: int = EPOCHS) -> TrialRecord:
    alpha = number / 11
    curve = {epoch: (1 - abs(alpha - 0.3)) * (1 - 0.5**epoch) for epoch in range(1, epochs + 1)}
    return TrialRecord(number, TrialState.COMPLETE, {"loss.alpha": alpha}, RANGE, curve)


RECORDED = [_recorded(number) for number in range(12)]


def test_a_forest_says_what_was_recorded_and_seeds_are_noisy() -> None:
    surrogate = Surrogate(RECORDED, 0.2, EPOCHS)
    assert surrogate.skill > 0.8
    expected = surrogate.expected({"loss.alpha": 0.3})
    assert expected.argmax() == EPOCHS - 1
    assert expected[-1] == pytest.approx(0.9, abs=0.06)
    assert expected[-1] > surrogate.expected({"loss.alpha": 1.0})[-1] > surrogate.expected({"loss.alpha": 1.0})[0]
    seen = [surrogate.seen(expected, np.random.default_rng(seed))[-1] for seed in range(400)]
    assert np.std(np.log(seen)) == pytest.approx(0.2, rel=0.1)


def test_a_search_holds_its_best_so_far() -> None:
    held = [Held(2, 0.5, 0.4), Held(4, 0.6, 0.3), Held(9, 0.7, 0.8)]
    assert np.array_equal(anytime(iter(held), 5), [np.nan, np.nan, 0.4, 0.4, 0.3, 0.3], equal_nan=True)
    assert np.array_equal(anytime(iter(held[:1]), 3), [np.nan, np.nan, 0.4, 0.4], equal_nan=True)


def test_the_share_is_where_the_means_meet() -> None:
    ours = np.array([[np.nan, 0.1, 0.3, 0.4, 0.7], [np.nan, 0.3, 0.3, 0.7, 0.7]])
    found = Compared(np.array([[0.1, 0.5], [0.1, 0.5]]).repeat(2, 1), ours)
    assert found.share() == 3 / 3
    assert found.share(np.array([1, 1])) == 3 / 3
    assert found.share(np.array([0, 0])) == 4 / 3
    assert found.interval() == (1.0, 4 / 3)
    assert Compared(np.ones((2, 4)), ours).share() == float("inf")


def test_the_median_is_over_every_pair_of_searches() -> None:
    ours = np.array([[np.nan, 0.1, 0.3, 0.2], [np.nan, 0.4, 0.4, 0.5], [0.0, 0.0, 0.0, 0.0]])
    found = Compared(np.array([[0.0, 0.3, 0.3], [0.0, 0.1, 0.1], [0.0, 0.4, 0.4]]), ours)
    assert np.array_equal(found.pairs() * 2, [[2, 1, np.inf], [1, 1, np.inf], [np.inf, 1, np.inf]])
    middle, low, high = found.median()
    assert middle == 1.0
    assert low <= middle <= high == np.inf


def test_random_search_stops_nobody_and_ours_repeats() -> None:
    surrogate = Surrogate(RECORDED, 0.1, EPOCHS)
    first, again = (compared(SPACE, surrogate, 2, EPOCHS, 2) for _ in range(2))
    assert first.random.shape == (2, 2 * EPOCHS + 1)
    assert first.ours.shape == (2, 6 * EPOCHS + 1)
    assert np.array_equal(first.random, again.random, equal_nan=True)
    assert np.array_equal(first.ours, again.ours, equal_nan=True)
    assert np.isfinite(first.random[:, -1]).all()


def test_noise_is_pooled_over_configurations() -> None:
    def replicate(trial: int, value: float) -> TrialRecord:
        return TrialRecord(0, TrialState.COMPLETE, {"trial": trial}, {}, {EPOCHS: value})

    found = noise_of([replicate(0, 1.0), replicate(0, math.e), replicate(1, 2.0), replicate(1, 2.0)], EPOCHS)
    assert found == pytest.approx(0.5)
    with pytest.raises(BadStudy, match="no configuration has two replicates"):
        noise_of([replicate(0, 1.0)], EPOCHS)


def test_cut_curves_are_refused() -> None:
    with pytest.raises(BadStudy, match="0 trials have a curve of 4 epochs"):
        learnt([_recorded(number, 2) for number in range(12)], 0.1, EPOCHS)
