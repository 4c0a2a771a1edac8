"""The replay of recorded curves, on curves that are known."""

import math

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from core.errors import BadStudy
from study.records import TrialRecord
from study.space import parse_space
from tests.benchmarks.bench_search import Surrogate, distance, epochs_to_reach, noise_of, repetitions

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


def test_distance_is_a_share_of_the_range() -> None:
    assert distance({"loss.alpha": 0.25}, RECORDED[0]) == pytest.approx(0.25)
    assert distance({}, RECORDED[0]) == 1


def test_a_surrogate_is_nearest_to_what_is_near_and_noisy_by_seed() -> None:
    surrogate = Surrogate(RECORDED, 0.2)
    expected = surrogate.expected({"loss.alpha": 3 / 11}, EPOCHS)
    assert expected.argmax() == EPOCHS - 1
    assert expected[-1] > surrogate.expected({"loss.alpha": 1.0}, EPOCHS)[-1]
    seen = [surrogate.seen(expected, np.random.default_rng(seed))[-1] for seed in range(400)]
    assert np.std(np.log(seen)) == pytest.approx(0.2, rel=0.1)


def test_ours_finds_what_is_there_and_not_what_is_not() -> None:
    exact = Surrogate(RECORDED, 0.0)
    best = max(exact.expected(trial.params, EPOCHS)[-1] for trial in RECORDED)
    assert EPOCHS <= epochs_to_reach(0.95 * best, SPACE, exact, EPOCHS, 0) < 36 * EPOCHS
    assert epochs_to_reach(1.05 * best, SPACE, exact, EPOCHS, 0) == float("inf")


def test_random_search_stops_nobody_and_repetitions_repeat() -> None:
    found = repetitions(SPACE, RECORDED, 0.1, EPOCHS, 3)
    assert found == repetitions(SPACE, RECORDED, 0.1, EPOCHS, 3)
    assert [one.random for one in found] == [6 * EPOCHS] * 3


def test_noise_is_pooled_over_configurations() -> None:
    def replicate(trial: int, value: float) -> TrialRecord:
        return TrialRecord(0, TrialState.COMPLETE, {"trial": trial}, {}, {EPOCHS: value})

    found = noise_of([replicate(0, 1.0), replicate(0, math.e), replicate(1, 2.0), replicate(1, 2.0)], EPOCHS)
    assert found == pytest.approx(0.5)
    with pytest.raises(BadStudy, match="no configuration has two replicates"):
        noise_of([replicate(0, 1.0)], EPOCHS)


def test_cut_curves_are_refused() -> None:
    with pytest.raises(BadStudy, match="0 trials have a curve of 4 epochs"):
        repetitions(SPACE, [_recorded(number, 2) for number in range(12)], 0.1, EPOCHS, 1)
