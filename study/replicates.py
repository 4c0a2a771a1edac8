"""Replication: the best configurations again, at full budget, under fresh seeds that no search has seen."""

from dataclasses import dataclass

import optuna

from core.config import Config, from_dict


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
    """The best full-budget trials by objective, best first; equal configurations count once."""
    complete = [t for t in study.get_trials(deepcopy=False) if t.state == optuna.trial.TrialState.COMPLETE]
    found: dict[int, Config] = {}
    for trial in sorted(complete, key=lambda t: (-(t.value or 0.0), t.number)):
        config = from_dict(trial.user_attrs["config"])
        if config not in found.values():
            found[trial.number] = config
        if len(found) == top:
            break
    return found
