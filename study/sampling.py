"""The sampler: TPE that looks at the trials that matter to it; asking hardly takes longer after 5,000 than after 500.

TPE compares the density of its best trials, 25 at most, with that of all others; a few hundred tell it the latter.
"""

import warnings
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

STARTUP = 10  # trials drawn at random before there is a model
JOINT = 12  # parameters up to which they are modelled jointly; measured, see docs/speed.md
SEEN = 500  # trials that the model is made of at most: the best half, and the latest of the others
_Space = dict[str, BaseDistribution]


def sampler(seed: int, asked: int, parameters: int) -> optuna.samplers.TPESampler:
    """For the trial that is asked as number `asked`, with so many parameters: avoids what running trials try.

    Few parameters are modelled jointly, conditional ones in groups; of many, each alone, as a few dozen trials say
    nothing about how they hang together.

    A sampler made anew would repeat its first draws; with a seed for each trial nobody sees that a study was restarted.
    """
    mixed = (seed + asked * 1_000_003) % 2**32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        joint = parameters <= JOINT
        return _Sampler(seed=mixed, multivariate=joint, group=joint, constant_liar=True, n_startup_trials=STARTUP)


class _Sampler(optuna.samplers.TPESampler):
    _looked: tuple[int, optuna.Study] | None = None

    def _seen(self, study: optuna.Study, trial: FrozenTrial) -> optuna.Study:
        """The study for all values of a trial, which are drawn before anything else happens: it is looked at once."""
        if self._looked is None or self._looked[0] != trial.number:
            self._looked = trial.number, cast(optuna.Study, _Seen(study))
        return self._looked[1]

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> _Space:
        return super().infer_relative_search_space(self._seen(study, trial), trial)

    def sample_relative(self, study: optuna.Study, trial: FrozenTrial, search_space: _Space) -> dict[str, Any]:
        return super().sample_relative(self._seen(study, trial), trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return super().sample_independent(self._seen(study, trial), trial, param_name, param_distribution)


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
    ended = [trial for trial in trials if trial.state.is_finished()]
    if len(ended) <= SEEN:
        return trials
    best = sorted(ended, key=lambda trial: (trial.last_step or 0, trial.value or 0.0), reverse=True)[: SEEN // 2]
    kept = {trial.number for trial in best}
    latest = [trial.number for trial in ended if trial.number not in kept][SEEN // 2 - SEEN :]
    kept |= set(latest)
    return [trial for trial in trials if trial.number in kept or not trial.state.is_finished()]
