"""Replication: the best configurations and the preset's own again, in full, under seeds that no search has seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import TrialState

from core.config import Config, from_dict
from study.ledger import CONFIG
from study.records import TrialRecord, best_first
from study.search_source import PAPER

_SCORED = (TrialState.COMPLETE, TrialState.PRUNED)
_LARGE = 2**53  # Optuna wants a range; the pairs are enqueued, never drawn


@dataclass
class ReplicateSource:
    """Every (trial, seed) pair once: a Source of assignments for a ledger.

    configured: the configuration of a trial. trials: those to replicate, or the numbers of an
    ablation's arms. When a search is extended these change; pairs that were handed out for earlier ones are finished
    all the same.
    """

    configured: Callable[[int], Config]
    trials: Sequence[int]
    seeds: Sequence[int]

    @property
    def total(self) -> int:
        """Pairs."""
        return len(self.trials) * len(self.seeds)

    def prepare(self, study: optuna.Study) -> None:
        """Enqueue the pairs, seed by seed, so that an early stop leaves complete comparisons."""
        for seed in self.seeds:
            for number in self.trials:
                study.enqueue_trial({"trial": number, "seed": seed}, skip_if_exists=True)

    def assign(self, trial: optuna.Trial) -> tuple[Config, int]:
        """Read the enqueued pair."""
        number, seed = trial.suggest_int("trial", 0, _LARGE), trial.suggest_int("seed", 0, _LARGE)
        return self.configured(number), seed


def configured(study: optuna.Study, number: int) -> Config:
    """The configuration of a trial of a search."""
    return from_dict(study.get_trials(deepcopy=False)[number].user_attrs[CONFIG])


def leaders(trials: Sequence[TrialRecord], top: int) -> list[int]:
    """Numbers of the best trials of a search by objective, best first; equal configurations count once.

    Those at full budget come first. Where early stopping left fewer than `top` of these, the places are filled by the
    trials that were stopped last, the better first: replication trains them in full, so the comparison stays fair, and
    a winner always has somebody to beat.
    """
    found: list[TrialRecord] = []
    for trial in best_first(trials):
        if len(found) == top:
            break  # thousands of others would each be compared with all before them
        if trial.state in _SCORED and all(trial.config != other.config for other in found):
            found.append(trial)
    return [trial.number for trial in found]


def with_own(study: optuna.Study, leading: list[int]) -> tuple[list[int], int | None]:
    """These trials and the preset's own choice, which the winner must beat under the same seeds; and its number.

    None where the space does not hold it, or it failed.
    """
    ended = {trial.number: trial for trial in study.get_trials(deepcopy=False) if trial.state in _SCORED}
    own = next((number for number, trial in ended.items() if PAPER in trial.user_attrs), None)
    if own is None:
        return leading, None
    same = [number for number in leading if ended[number].user_attrs[CONFIG] == ended[own].user_attrs[CONFIG]]
    return (leading, same[0]) if same else ([*leading, own], own)
