"""How many epochs our search needs to find what random search finds at full budget, on curves of real trainings.

    python -m tests.benchmarks.bench_search runs/STUDY [REPETITIONS]

The folder is that of a study made with `--set study.reduction=1`, so that every curve is whole. Both searches ask for
any point of the space. What it would give is the mean of the recorded curves, weighted by nearness of configuration;
what a search sees of it differs by as much as seeds do among the study's replicates, so no two trials tie. Random
search draws half as many trials as were recorded and stops none. Ours, ASHA and TPE under the ledger's own rules on a
simulated clock, goes on until what it holds for best is, without that noise, as good as what random search holds for
best.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf, log, sqrt
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution

from core.errors import BadStudy
from study.asha import Asha
from study.folder import StudyFolder
from study.ledger import Ledger, SearchSource, open_study
from study.records import TrialRecord, read_study
from study.space import Space

SLOTS, REDUCTION = 4, 3  # the recorded study stopped nobody, so its own reduction says nothing
NEAR = 0.1  # distance at which a recorded curve counts e times less
SHARED = 0.8  # of the noise of an epoch, what all epochs of its training have in common; the rest is its own


class Repetition(NamedTuple):
    """Epochs of random search, epochs that ours needed for random search's best (inf: never found), and that best."""

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


class Surrogate(NamedTuple):
    """Recorded curves, and the standard deviation among seeds of the logarithm of the objective."""

    recorded: Sequence[TrialRecord]
    noise: float

    def expected(self, params: dict[str, Any], epochs: int) -> NDArray[np.float64]:
        """What a configuration would give on average after each epoch."""
        apart = np.array([distance(params, trial) for trial in self.recorded])
        weights = np.exp((apart.min() - apart) / NEAR)
        curves = np.array([[trial.curve[epoch] for epoch in range(1, epochs + 1)] for trial in self.recorded])
        return np.asarray(weights @ curves / weights.sum())

    def seen(self, expected: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """What one training would show of it."""
        own = sqrt(1 - SHARED**2) * rng.normal(size=len(expected))
        return expected * np.exp(self.noise * (SHARED * rng.normal() + own))


class Held(NamedTuple):
    """What a search holds for best after so many epochs over all slots, by what it saw, and its expected objective."""

    spent: int
    seen: float
    expected: float


def replay(space: Space, surrogate: Surrogate, epochs: int, seed: int, trials: int, asha: Asha) -> Iterator[Held]:
    """After each trial that reached full budget."""
    rng = np.random.default_rng(seed)
    source = SearchSource(replace(space, study=replace(space.study, seed=seed)), trials)
    study = open_study(optuna.storages.InMemoryStorage(), "replay")
    ledger = Ledger(study, source, epochs, seed, asha)
    assignments, held = ledger.assignments(), Held(0, -inf, -inf)
    running: dict[int, tuple[int, NDArray[np.float64], float]] = {}
    spent = 0
    while True:
        while len(running) < SLOTS and (one := next(assignments, None)):
            expected = surrogate.expected(ledger.trials()[one.number].params, epochs)
            running[one.number] = 0, surrogate.seen(expected, rng), float(expected[-1])
        if not running:
            return
        # Epochs take equally long: who has waited longest is scored next.
        number = next(iter(running))
        done, curve, last = running.pop(number)
        done, spent = done + 1, spent + 1
        value = float(curve[done - 1])
        stops = ledger.report(number, done, value, {})
        if not stops and done < epochs:
            running[number] = done, curve, last
            continue
        ledger.finish(number)
        if done == epochs:
            held = Held(spent, value, last) if value > held.seen else held._replace(spent=spent)
            yield held


def epochs_to_reach(target: float, space: Space, surrogate: Surrogate, epochs: int, seed: int) -> float:
    """Epochs that ours has begun when it first holds something as good as this; inf if it never does."""
    trials = 3 * len(surrogate.recorded)
    ours = replay(space, surrogate, epochs, seed, trials, Asha(space.study.grace, REDUCTION))
    return next((held.spent for held in ours if held.expected >= target), inf)


def random_search(space: Space, surrogate: Surrogate, epochs: int, seed: int) -> Held:
    """What half as many random trials as were recorded leave, none of them stopped."""
    # The ledger makes its sampler anew for each trial.
    with patch("study.ledger.sampler", lambda seed, asked: optuna.samplers.RandomSampler(seed * 1_000_003 + asked)):
        *_, last = replay(space, surrogate, epochs, seed, len(surrogate.recorded) // 2, Asha(space.study.grace, 1))
    return last


def noise_of(replicates: Sequence[TrialRecord], epochs: int) -> float:
    """Pooled over configurations with at least two seeds. Raises BadStudy without any."""
    values: dict[str, list[float]] = {}
    for one in replicates:
        if epochs in one.curve:
            values.setdefault(repr(one.params["trial"]), []).append(log(one.curve[epochs]))
    spreads = [np.var(found, ddof=1) for found in values.values() if len(found) > 1]
    if not spreads:
        raise BadStudy("no configuration has two replicates, which would tell how much seeds differ")
    return float(np.sqrt(np.mean(spreads)))


def repetitions(space: Space, trials: Sequence[TrialRecord], noise: float, epochs: int, count: int) -> list[Repetition]:
    """Random search, and ours until it has the same, `count` times under other seeds."""
    recorded = [trial for trial in trials if set(trial.curve) >= set(range(1, epochs + 1))]
    if len(recorded) < 4:
        raise BadStudy(
            f"{len(recorded)} trials have a curve of {epochs} epochs, expected at least 4; "
            "record them with --set study.reduction=1"
        )
    surrogate, found = Surrogate(recorded, noise), []
    for seed in range(count):
        random = random_search(space, surrogate, epochs, count + seed)  # other seeds than ours
        ours = epochs_to_reach(random.expected, space, surrogate, epochs, seed)
        found.append(Repetition(random.spent, ours, random.expected))
    return found


def main() -> None:
    """Print the median share of random search's epochs."""
    study = read_study(StudyFolder(Path(sys.argv[1])))
    if study.space is None:
        raise BadStudy(f"{sys.argv[1]}: today's program cannot read the study's space")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    noise = noise_of(study.replicates, study.epochs)
    found = repetitions(study.space, study.trials, noise, study.epochs, count)
    shares = sorted(one.ours / one.random for one in found)
    print(
        f"{len(found)} repetitions, seeds differ by {noise:.0%}: ours needs {median(shares):.2f} of random search's "
        f"{found[0].random} epochs (median; quartiles {shares[len(shares) // 4]:.2f} and "
        f"{shares[3 * len(shares) // 4]:.2f}; {sum(share == inf for share in shares)} never found as good a one)"
    )


if __name__ == "__main__":
    main()
