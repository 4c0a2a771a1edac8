"""The replay of recorded curves, on curves that are known."""

import optuna
import pytest
from optuna.trial import TrialState

from core.errors import BadStudy
from study.records import TrialRecord
from study.space import parse_space
from tests.benchmarks.bench_search import distance, epochs_to_reach, repetitions

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


def test_ours_finds_what_is_there_and_not_what_is_not() -> None:
    best = max(trial.curve[EPOCHS] for trial in RECORDED)
    assert EPOCHS <= epochs_to_reach(best, SPACE, RECORDED, EPOCHS, 0) < 36 * EPOCHS
    assert epochs_to_reach(best + 0.01, SPACE, RECORDED, EPOCHS, 0) == float("inf")


def test_stopping_early_saves_epochs_and_repetitions_repeat() -> None:
    found = repetitions(SPACE, RECORDED, EPOCHS, 3)
    assert found == repetitions(SPACE, RECORDED, EPOCHS, 3)
    assert [one.random for one in found] == [6 * EPOCHS] * 3


def test_cut_curves_are_refused() -> None:
    with pytest.raises(BadStudy, match="0 trials have a curve of 4 epochs"):
        repetitions(SPACE, [_recorded(number, 2) for number in range(12)], EPOCHS, 1)
