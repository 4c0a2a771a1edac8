"""How many epochs our search needs to find what random search finds at full budget, on curves of real trainings.

    python -m tests.benchmarks.bench_search runs/STUDY [REPETITIONS [TRIALS]]

The folder is that of a study made with `--set study.reduction=1`, so that every curve is whole. Both searches ask for
any point of the space. What it would give is told by a random forest over the recorded curves (a surrogate benchmark,
after Eggensperger et al., AAAI 2015); what a search sees of it differs by as much as seeds do among the study's
replicates. Random search draws TRIALS, by default half as many as were recorded, and stops none. Ours is ASHA and TPE
under the ledger's own rules on a simulated clock. Compared is what each holds for best, as it would be without that
noise, on average over the repetitions: where ours reaches what random search holds at its end. Also, of each search of
ours with each random one: the median of where the one first holds what the other ends with. Both begin with the
preset's own.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf, log, sqrt
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from scipy.stats import spearmanr
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import cross_val_predict

from core.errors import BadStudy
from study.asha import Asha
from study.folder import StudyFolder
from study.ledger import Ledger, open_study
from study.records import TrialRecord, read_study
from study.search_source import SearchSource
from study.space import Space

SLOTS, REDUCTION = 4, 3  # the recorded study stopped nobody, so its own reduction says nothing
SHARED = 0.8  # of the noise of an epoch, what all epochs of its training have in common; the rest is its own
LEAST = 10  # recorded curves

Curves = NDArray[np.float64]


class Surrogate:
    """What a configuration would give, learnt from recorded trials.

    noise: standard deviation among seeds of the logarithm of the objective. skill: Spearman's correlation of the
    objective at full budget with what the forest says of trials that it has not seen.
    """

    def __init__(self, recorded: Sequence[TrialRecord], noise: float, epochs: int) -> None:
        self.noise = noise
        self._space: dict[str, BaseDistribution] = {}
        for trial in recorded:
            self._space |= trial.distributions
        inputs = np.array([self._encoded(trial.params) for trial in recorded])
        curves = np.log([[trial.curve[epoch] for epoch in range(1, epochs + 1)] for trial in recorded])
        self._forest = RandomForestRegressor(300, max_features=0.5, random_state=0)
        unseen = cross_val_predict(self._forest, inputs, curves, cv=LEAST)
        self.skill = float(spearmanr(unseen[:, -1], curves[:, -1]).statistic)
        self._forest.fit(inputs, curves)

    def expected(self, params: dict[str, Any]) -> Curves:
        """After each epoch, on average over seeds."""
        return np.asarray(np.exp(self._forest.predict([self._encoded(params)])[0]))

    def seen(self, expected: Curves, rng: np.random.Generator) -> Curves:
        """What one training would show of it."""
        own = sqrt(1 - SHARED**2) * rng.normal(size=len(expected))
        return expected * np.exp(self.noise * (SHARED * rng.normal() + own))

    def _encoded(self, params: dict[str, Any]) -> list[float]:
        """A column for each choice, and for each range where the value lies in it; -1 where a trial has none."""
        found: list[float] = []
        for name, distribution in self._space.items():
            if isinstance(distribution, CategoricalDistribution):
                found += [float(params.get(name) == choice) for choice in distribution.choices]
            else:
                found.append(_place(params[name], distribution) if name in params else -1.0)
        return found


def _place(value: float, distribution: Any) -> float:
    scale = log if distribution.log else float
    low, high = scale(distribution.low), scale(distribution.high)
    return (scale(value) - low) / (high - low) if high > low else 0.0


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
            expected = surrogate.expected(ledger.trials()[one.number].params)
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


def anytime(replayed: Iterator[Held], length: int) -> Curves:
    """What a search holds after each number of epochs, (length + 1,); NaN before its first trial at full budget."""
    found, at, holds = np.full(length + 1, np.nan), 0, np.nan
    for held in replayed:
        found[at : held.spent] = holds
        at, holds = held.spent, held.expected
        if at > length:
            return found
    found[at:] = holds
    return found


class Compared(NamedTuple):
    """Anytime curves of `repetitions` searches each, (repetitions, epochs + 1). Random search ends at its last."""

    random: Curves
    ours: Curves

    def share(self, chosen: NDArray[np.intp] | None = None) -> float:
        """Of random search's epochs, those after which ours holds as much on average; inf when it never does.

        chosen: repetitions that count, each as often as it is named; by default all.
        """
        rows = np.arange(len(self.ours)) if chosen is None else chosen
        target = float(self.random[rows, -1].mean())
        reached = np.flatnonzero(self.ours[rows].mean(0) >= target)  # NaN, before the first of any, reaches nothing
        return float(reached[0]) / (self.random.shape[1] - 1) if len(reached) else inf

    def interval(self) -> tuple[float, float]:
        """95 % bootstrap interval of the share, over repetitions."""
        rng = np.random.default_rng(0)
        return _middle([self.share(rng.integers(len(self.ours), size=len(self.ours))) for _ in range(1000)])

    def pairs(self) -> Curves:
        """The same share of each random search (row) with each of ours (column)."""
        reached = self.ours >= self.random[:, None, None, -1]  # NaN reaches nothing
        first = np.where(reached.any(2), reached.argmax(2), inf)
        return np.asarray(first / (self.random.shape[1] - 1))

    def median(self) -> tuple[float, float, float]:
        """Median over all pairs, and its 95 % bootstrap interval over searches of both kinds."""
        rng, pairs, count = np.random.default_rng(0), self.pairs(), len(self.ours)
        drawn = [pairs[np.ix_(*rng.integers(count, size=(2, count)))] for _ in range(1000)]
        return float(np.median(pairs)), *_middle([float(np.quantile(one, 0.5, method="nearest")) for one in drawn])


def _middle(drawn: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")
    return float(low), float(high)


def compared(space: Space, surrogate: Surrogate, trials: int, epochs: int, count: int) -> Compared:
    """Random search over so many trials, and ours over three times its epochs."""
    length = trials * epochs
    random = []
    # The ledger makes its sampler anew for each trial.
    with patch("study.ledger.sampler", lambda seed, asked: optuna.samplers.RandomSampler(seed * 1_000_003 + asked)):
        for seed in range(count, 2 * count):  # other seeds than ours
            random.append(anytime(replay(space, surrogate, epochs, seed, trials, Asha(1, 1)), length))
    ours = [
        anytime(replay(space, surrogate, epochs, seed, 3 * length, Asha(space.study.grace, REDUCTION)), 3 * length)
        for seed in range(count)
    ]
    return Compared(np.array(random), np.array(ours))


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


def learnt(trials: Sequence[TrialRecord], noise: float, epochs: int) -> Surrogate:
    """The surrogate of a study's trials. Raises BadStudy when too few have a whole curve."""
    recorded = [trial for trial in trials if set(trial.curve) >= set(range(1, epochs + 1))]
    if len(recorded) < LEAST:
        raise BadStudy(
            f"{len(recorded)} trials have a curve of {epochs} epochs, expected at least {LEAST}; "
            "record them with --set study.reduction=1"
        )
    return Surrogate(recorded, noise, epochs)


def main() -> None:
    """Print the share of random search's epochs."""
    study = read_study(StudyFolder(Path(sys.argv[1])))
    if study.space is None:
        raise BadStudy(f"{sys.argv[1]}: today's program cannot read the study's space")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    trials = int(sys.argv[3]) if len(sys.argv) > 3 else len(study.trials) // 2
    noise = noise_of(study.replicates, study.epochs)
    surrogate = learnt(study.trials, noise, study.epochs)
    found = compared(study.space, surrogate, trials, study.epochs, count)
    low, high = found.interval()
    half, least, most = found.median()
    print(
        f"{count} repetitions, seeds differ by {noise:.0%}, skill of the forest {surrogate.skill:.2f}: ours needs "
        f"{found.share():.2f} [{low:.2f}, {high:.2f}] of random search's {found.random.shape[1] - 1} epochs; random "
        f"search ends at {found.random[:, -1].mean():.4f}, ours after as many at "
        f"{found.ours[:, found.random.shape[1] - 1].mean():.4f}; of single searches, ours needs {half:.2f} "
        f"[{least:.2f}, {most:.2f}] in half of all pairs"
    )


if __name__ == "__main__":
    main()
