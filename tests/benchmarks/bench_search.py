"""How many epochs our search needs to find what random search finds at full budget, on curves of real trainings.

    python -m tests.benchmarks.bench_search runs/STUDY [REPETITIONS]

The folder is that of a study made with `--set study.reduction=1`, so that every curve is whole. Each repetition draws
random search's trials among the recorded ones without replacement; ours, ASHA and TPE under the ledger's own rules on a
simulated clock, asks for any point of the space and is given the curve of the nearest recorded configuration, as
surrogates over finite tables do. That favours neither: both know only the recorded curves.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from math import inf, log
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution

from core.errors import BadStudy
from study.asha import Asha
from study.folder import StudyFolder
from study.ledger import Ledger, SearchSource, open_study
from study.records import TrialRecord, read_study
from study.space import Space

SLOTS, REDUCTION = 4, 3  # the recorded study stopped nobody, so its own reduction says nothing


class Repetition(NamedTuple):
    """Epochs of random search, epochs that ours needed for its best (inf: never found), and that best."""

    random: int
    ours: float
    best: float


def distance(params: dict[str, Any], recorded: TrialRecord) -> float:
    """Sum over parameters: 0 to 1 each, of the range (its logarithm where it is one); 1 where only one has it."""
    total = 0.0
    for name in params.keys() | recorded.params.keys():
        if name not in params or name not in recorded.params:
            total += 1
        else:
            total += _apart(params[name], recorded.params[name], recorded.distributions[name])
    return total


def _apart(one: Any, other: Any, distribution: BaseDistribution) -> float:
    if isinstance(distribution, CategoricalDistribution):
        return float(one != other)
    low, high = distribution.low, distribution.high  # type: ignore[attr-defined]
    scale = log if getattr(distribution, "log", False) else float
    return abs(scale(one) - scale(other)) / (scale(high) - scale(low)) if high > low else 0.0


def epochs_to_reach(target: float, space: Space, recorded: Sequence[TrialRecord], epochs: int, seed: int) -> float:
    """Epochs that ours has begun, over all slots, when a trial at full budget first has this value; inf if none has."""
    source = SearchSource(replace(space, study=replace(space.study, seed=seed)), 3 * len(recorded))
    study = open_study(optuna.storages.InMemoryStorage(), "replay")
    ledger = Ledger(study, source, epochs, seed, Asha(space.study.grace, REDUCTION))
    assignments, spent = ledger.assignments(), 0
    running: dict[int, tuple[int, dict[int, float]]] = {}
    while True:
        while len(running) < SLOTS and (one := next(assignments, None)):
            params = ledger.trials()[one.number].params
            running[one.number] = 0, min(recorded, key=lambda trial: distance(params, trial)).curve
        if not running:
            return inf
        # Epochs take equally long: who has waited longest is scored next.
        number = next(iter(running))
        done, curve = running.pop(number)
        done, spent = done + 1, spent + 1
        stops = ledger.report(number, done, curve[done], {})
        if not stops and done < epochs:
            running[number] = done, curve
            continue
        ledger.finish(number)
        if done == epochs and curve[done] >= target:
            return spent


def repetitions(space: Space, trials: Sequence[TrialRecord], epochs: int, count: int) -> list[Repetition]:
    """Random search over half of the recorded trials, and ours, `count` times under other seeds."""
    recorded = [trial for trial in trials if set(trial.curve) >= set(range(1, epochs + 1))]
    if len(recorded) < 4:
        raise BadStudy(
            f"{len(recorded)} trials have a curve of {epochs} epochs, expected at least 4; "
            "record them with --set study.reduction=1"
        )
    found = []
    for seed in range(count):
        drawn = np.random.default_rng(seed).permutation(len(recorded))[: len(recorded) // 2]
        best = max(recorded[index].curve[epochs] for index in drawn)
        found.append(Repetition(len(drawn) * epochs, epochs_to_reach(best, space, recorded, epochs, seed), best))
    return found


def main() -> None:
    """Print the median share of random search's epochs."""
    study = read_study(StudyFolder(Path(sys.argv[1])))
    if study.space is None:
        raise BadStudy(f"{sys.argv[1]}: today's program cannot read the study's space")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    found = repetitions(study.space, study.trials, study.epochs, count)
    shares = [one.ours / one.random for one in found]
    print(
        f"{len(found)} repetitions: ours needs {median(shares):.2f} of random search's epochs (median; "
        f"{sum(share == inf for share in shares)} never found its best); random search {found[0].random} epochs"
    )


if __name__ == "__main__":
    main()
