"""Replication: the best configurations again, at full budget, under fresh seeds that no search has seen."""

from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from core.config import Config, from_dict
from study.ledger import CONFIG


@dataclass
class ReplicateSource:
    """Every (trial, seed) pair once: a Source of assignments for a ledger."""

    configs: dict[int, Config]
    seeds: list[int]

    @property
    def total(self) -> int:
        """Pairs."""
        return len(self.configs) * len(self.seeds)

    def prepare(self, study: optuna.Study) -> None:
        """Enqueue the pairs, seed by seed, so that an early stop leaves complete comparisons."""
        for seed in self.seeds:
            for number in self.configs:
                study.enqueue_trial({"trial": number, "seed": seed}, skip_if_exists=True)

    def assign(self, trial: optuna.Trial) -> tuple[Config, int]:
        """Read the enqueued pair."""
        number = trial.suggest_categorical("trial", list(self.configs))
        seed = trial.suggest_categorical("seed", self.seeds)
        return self.configs[number], seed


def leaders(study: optuna.Study, top: int) -> dict[int, Config]:
    """The best trials by objective, best first; equal configurations count once.

    Those at full budget come first. Where early stopping left fewer than `top` of these, the places are filled by the
    trials that were stopped last, the better first: replication trains them in full, so the comparison stays fair, and
    a winner always has somebody to beat.
    """
    ended = [t for t in study.get_trials(deepcopy=False) if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    found: dict[int, Config] = {}
    for trial in sorted(ended, key=_rank):
        config = from_dict(trial.user_attrs[CONFIG])
        if config not in found.values():
            found[trial.number] = config
        if len(found) == top:
            break
    return found


def _rank(trial: FrozenTrial) -> tuple[bool, int, float, int]:
    last = max(trial.intermediate_values, default=0)
    return trial.state != TrialState.COMPLETE, -last, -(trial.value or 0.0), trial.number
