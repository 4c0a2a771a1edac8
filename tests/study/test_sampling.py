"""The sampler looks at few trials of many, always at the best, and asks the same of small studies as Optuna's own."""

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from study import sampling
from study.sampling import _chosen, sampler


def _study(count: int) -> optuna.Study:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(count):
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        trial.report(trial.params["x"], 1)
        study.tell(
            trial, trial.params["x"] if number % 3 else None, TrialState.COMPLETE if number % 3 else TrialState.PRUNED
        )
    return study


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_small_study_is_asked_as_by_optunas_own(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for limit in (10**9, sampling.SEEN):
        monkeypatch.setattr(sampling, "SEEN", limit)
        study = _study(60)
        study.sampler = sampler(3, 60, 2)
        drawn.append(study.ask({"x": optuna.distributions.FloatDistribution(0, 1)}).params["x"])
    assert drawn[0] == drawn[1]
    own = optuna.samplers.TPESampler(
        seed=(3 + 60 * 1_000_003) % 2**32, multivariate=True, group=True, constant_liar=True, n_startup_trials=10
    )
    study = _study(60)
    study.sampler = own
    assert study.ask({"x": optuna.distributions.FloatDistribution(0, 1)}).params["x"] == drawn[0]


def test_of_many_trials_the_best_and_the_latest_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SEEN", 20)
    study = _study(200)
    running = study.ask()
    trials = study.get_trials(deepcopy=False)
    seen = _chosen(trials)
    numbers = [trial.number for trial in seen]
    assert len(numbers) == 21
    assert numbers == sorted(numbers)
    assert running.number in numbers
    best = sorted(trials[:-1], key=lambda trial: trial.value or 0.0, reverse=True)[:10]
    assert {trial.number for trial in best} <= set(numbers)
    assert set(range(195, 200)) <= set(numbers)


def test_it_still_finds_what_is_good_when_it_sees_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SEEN", 40)
    study = _study(150)
    drawn = []
    for number in range(150, 180):
        study.sampler = sampler(0, number, 2)
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        trial.report(trial.params["x"], 1)
        study.tell(trial, trial.params["x"])
        drawn.append(trial.params["x"])
    assert sum(drawn) / len(drawn) > 0.65  # chance would give 0.5, give or take 0.05


def test_many_parameters_are_modelled_one_by_one() -> None:
    """Of thirty settings, one decides: after forty trials nearly all draws are where it is high."""
    study = optuna.create_study(direction="maximize")
    for number in range(60):
        study.sampler = sampler(0, number, 30)
        trial = study.ask()
        values = [trial.suggest_float(f"x{index}", 0, 1) for index in range(30)]
        study.tell(trial, values[0])
    assert np.mean([trial.params["x0"] for trial in study.trials[40:]]) > 0.8
    assert not study.sampler._multivariate  # type: ignore[attr-defined]


def test_the_trials_are_looked_through_once_for_all_values_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of thousands of trials with dozens of parameters each, this was most of what asking took."""
    looked: list[int] = []
    monkeypatch.setattr(sampling, "_chosen", lambda trials: looked.append(len(trials)) or _chosen(trials))
    study = _study(40)
    study.sampler = sampler(5, 40, 20)
    trial = study.ask()
    for name in ("x", *(f"y{number}" for number in range(20))):
        trial.suggest_float(name, 0, 1)
    assert 1 <= len(looked) <= 2  # those that ended, and these with those that run
