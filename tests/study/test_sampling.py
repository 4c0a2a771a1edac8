"""The sampler looks at few trials of many, always at the best, which it judges where enough of them came."""

from math import ceil

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers._tpe.sampler import default_gamma
from optuna.trial import TrialState

from study import sampling
from study.sampling import _chosen, sampler

X: dict[str, BaseDistribution] = {"x": FloatDistribution(0, 1)}


def _study(count: int) -> optuna.Study:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(count):
        trial = study.ask(X)
        trial.report(trial.params["x"], 1)
        study.tell(
            trial, trial.params["x"] if number % 3 else None, TrialState.COMPLETE if number % 3 else TrialState.PRUNED
        )
    return study


def _told(study: optuna.Study, x: float, *curve: float, state: TrialState | None = TrialState.COMPLETE) -> None:
    """A trial at x with this curve; None leaves it running."""
    study.enqueue_trial({"x": x})
    trial = study.ask(X)
    for epoch, value in enumerate(curve, 1):
        trial.report(value, epoch)
    if state is not None:
        study.tell(trial, curve[-1] if state == TrialState.COMPLETE else None, state)


def _own(seed: int) -> optuna.samplers.TPESampler:
    return optuna.samplers.TPESampler(seed=seed, multivariate=False, constant_liar=True)


def _next(study: optuna.Study, own: bool = False) -> float:
    """The mean of what thirty samplers draw, ours or Optuna's own."""
    drawn = []
    for asked in range(30):
        study.sampler = _own(asked) if own else sampler(0, asked)
        trial = study.ask(X)
        drawn.append(trial.params["x"])
        study.tell(trial, state=TrialState.FAIL)
    return float(np.mean(drawn))


def test_trials_that_all_ran_in_full_are_asked_as_by_optunas_own() -> None:
    study = optuna.create_study(direction="maximize")
    for x in np.random.default_rng(0).random(60):
        _told(study, float(x), 1 - float(x), 2 - float(x))
    drawn = []
    for one in (sampler(3, 60), _own((3 + 60 * 1_000_003) % 2**32)):
        study.sampler = one
        trial = study.ask(X)
        drawn.append(trial.params["x"])
        study.tell(trial, state=TrialState.FAIL)
    assert drawn[0] == drawn[1]


def test_what_ran_to_its_end_is_not_good_for_that_alone() -> None:
    """The first three ran in full at 0.1; of all others, which were stopped, those near 0.9 were best."""
    study = optuna.create_study(direction="maximize")
    for _ in range(3):
        _told(study, 0.1, 0.1, 0.2)
    for x in np.random.default_rng(0).random(27):
        _told(study, float(x), 1 - abs(float(x) - 0.9), state=TrialState.PRUNED)
    assert _next(study, own=True) < 0.4
    assert _next(study) > 0.7


def test_a_running_trial_that_leads_is_followed() -> None:
    study = optuna.create_study(direction="maximize")
    for x in np.random.default_rng(0).random(30):
        _told(study, float(x) / 2, float(x) / 2, state=TrialState.PRUNED)
    for _ in range(3):
        _told(study, 0.9, 0.9, state=None)
    assert _next(study, own=True) < 0.6
    assert _next(study) > 0.7


def test_trials_are_judged_at_the_last_epoch_to_which_enough_of_them_came() -> None:
    study = optuna.create_study(direction="maximize")
    curves = [(0.5, 0.9), (0.4, 0.2, 0.1), (0.6, 0.8, 0.3), (0.3, 0.85), (0.9,), (0.95,), *[(0.0,)] * 5]
    for curve in curves:
        _told(study, 0.5, *curve, state=TrialState.PRUNED)
    _told(study, 0.5, 0.2, 0.7, 0.99, state=None)
    _told(study, 0.5, state=None)
    # Of eleven that ended two are good, so four have to have come: five came to the second epoch, three to the third.
    ranked = sorted(_chosen(study.trials)[:12], key=lambda trial: -(trial.value or 0.0))
    assert [trial.number for trial in ranked[:7]] == [0, 3, 2, 11, 1, 5, 4]
    assert all(trial.state == TrialState.COMPLETE for trial in ranked)
    assert _chosen(study.trials)[12].state == TrialState.RUNNING
    assert study.trials[11].state == TrialState.RUNNING  # what is stored stays as it was


def test_of_trials_that_all_run_the_one_that_came_farthest_leads() -> None:
    study = optuna.create_study(direction="maximize")
    _told(study, 0.5, 0.1, 0.3, state=None)
    _told(study, 0.5, 0.2, state=None)
    assert [trial.value for trial in _chosen(study.trials)] == [1, 0]


def test_as_many_are_taken_for_good_as_by_tpe_itself() -> None:
    for ended in range(1, 400):
        assert min(ceil(sampling.BEST * ended), sampling.MOST) == default_gamma(ended)


def test_of_many_trials_the_best_and_the_latest_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SEEN", 60)
    study = _study(200)
    running = study.ask()
    trials = study.get_trials(deepcopy=False)
    seen = _chosen(trials)
    numbers = [trial.number for trial in seen]
    best = {trial.number for trial in sorted(trials[:-1], key=lambda trial: trial.params["x"])[-30:]}
    latest = sorted(set(range(200)) - best)[-30:]
    assert best & set(range(latest[0], 200))
    assert numbers == sorted({*best, *latest, running.number})


def test_it_still_finds_what_is_good_when_it_sees_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SEEN", 40)
    study = _study(150)
    drawn = []
    for number in range(150, 180):
        study.sampler = sampler(0, number)
        trial = study.ask(X)
        trial.report(trial.params["x"], 1)
        study.tell(trial, trial.params["x"])
        drawn.append(trial.params["x"])
    assert sum(drawn) / len(drawn) > 0.65  # chance would give 0.5, give or take 0.05


def test_many_parameters_are_modelled_one_by_one() -> None:
    """Of thirty settings, one decides: after forty trials nearly all draws are where it is high."""
    study = optuna.create_study(direction="maximize")
    for number in range(60):
        study.sampler = sampler(0, number)
        trial = study.ask()
        values = [trial.suggest_float(f"x{index}", 0, 1) for index in range(30)]
        trial.report(values[0], 1)
        study.tell(trial, values[0])
    assert np.mean([trial.params["x0"] for trial in study.trials[40:]]) > 0.8


def test_the_trials_are_looked_through_once_for_all_values_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of thousands of trials with dozens of parameters each, this was most of what asking took."""
    looked: list[int] = []
    monkeypatch.setattr(sampling, "_chosen", lambda trials: looked.append(len(trials)) or _chosen(trials))
    study = _study(40)
    study.sampler = sampler(5, 40)
    trial = study.ask()
    for name in ("x", *(f"y{number}" for number in range(20))):
        trial.suggest_float(name, 0, 1)
    assert 1 <= len(looked) <= 2  # those that ended, and these with those that run
    study.tell(trial, 0.5)
    looked.clear()
    study.ask(X)
    assert max(looked) == 42  # anew for the next


@pytest.mark.parametrize(("count", "random"), [(0, True), (9, True), (10, False)])
def test_the_first_ten_are_drawn_at_random(count: int, random: bool) -> None:
    """Whatever was found before; one more runs meanwhile. The seeds of studies and trials have no upper limit."""
    drawn = []
    for sign in (1, -1):
        study = optuna.create_study(direction="maximize")
        for number in range(count):
            _told(study, number / 10, sign * number)
        _told(study, 0.5, state=None)
        study.sampler = sampler(2**32 - 1, 5000)
        drawn.append(study.ask(X).params["x"])
    assert (drawn[0] == drawn[1]) == random
