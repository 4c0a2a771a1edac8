"""The sampler: TPE that looks at the trials that matter to it; asking hardly takes longer after 5,000 than after 500.

TPE compares the density of its best trials, 25 at most, with that of all others; a few hundred tell it the latter.
"""

from copy import copy
from math import ceil
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

STARTUP = 10  # trials drawn at random before there is a model
SEEN = 500  # trials that the model is made of at most: the best half, and the latest of the others
BEST, MOST = 0.1, 25  # of the trials that ended, the share that TPE takes for good, and how many at most
FIELD = 2  # times as many as it takes for good have come to the epoch at which trials are judged


def sampler(seed: int, asked: int) -> optuna.samplers.TPESampler:
    """For the trial that is asked as number `asked`: avoids what running trials try of which nothing is known yet.

    Each parameter is modelled alone: a few dozen trials say nothing about how they hang together.

    A sampler made anew would repeat its first draws; with a seed for each trial nobody sees that a study was restarted.
    """
    mixed = (seed + asked * 1_000_003) % 2**32
    return _Sampler(seed=mixed, multivariate=False, constant_liar=True, n_startup_trials=STARTUP)


class _Sampler(optuna.samplers.TPESampler):
    _looked: tuple[int, optuna.Study] | None = None

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        # All values of a trial are drawn before anything else happens: the study is looked at once.
        if self._looked is None or self._looked[0] != trial.number:
            self._looked = trial.number, cast(optuna.Study, _Seen(study))
        return super().sample_independent(self._looked[1], trial, param_name, param_distribution)


class _Seen:
    """A study as TPE sees it, while the values of a trial are drawn."""

    def __init__(self, study: Any) -> None:
        self._study = study
        self._found: dict[Any, list[FrozenTrial]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(self, deepcopy: bool = True, states: Any = None, use_cache: bool = False) -> list[FrozenTrial]:
        key = None if states is None else tuple(states)
        if key not in self._found:
            self._found[key] = _chosen(self._study._get_trials(deepcopy, states, use_cache))
        return self._found[key]


def _chosen(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that matter, in order, each with its place for a value; running ones without an epoch as they are."""
    ranked = [trial.number for trial in _from_worst_to_best(trials)]
    ended = [trial.number for trial in trials if trial.state.is_finished()]
    best = set(ranked[-(SEEN // 2) :])
    kept = best | set([number for number in ended if number not in best][-(SEEN // 2) :])
    places = {number: float(place) for place, number in enumerate(ranked)}
    return [
        _placed(trial, places.get(trial.number))
        for trial in trials
        if trial.number in kept or not trial.state.is_finished()
    ]


def _from_worst_to_best(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Trials with an epoch, by the objective at the last epoch to which enough of them came; the others before.

    TPE itself would take whatever ran to its end for better than all that was stopped, and whatever still runs for bad.
    But the first trials run to their ends whether they are good or not, and those that run longest are good.
    """
    begun = [trial for trial in trials if trial.intermediate_values]
    if not begun:
        return []
    good = min(ceil(BEST * sum(trial.state.is_finished() for trial in trials)), MOST)
    came = sorted((max(trial.intermediate_values) for trial in begun), reverse=True)
    judged = came[min(max(1, FIELD * good), len(came)) - 1]

    def standing(trial: FrozenTrial) -> tuple[int, float]:
        epoch = min(max(trial.intermediate_values), judged)
        return epoch, trial.intermediate_values[epoch]

    return sorted(begun, key=standing)


def _placed(trial: FrozenTrial, place: float | None) -> FrozenTrial:
    if place is None:
        return trial
    placed = copy(trial)
    placed.state, placed.value = TrialState.COMPLETE, place
    return placed
