"""Are arms apart? Paired comparisons over common training seeds, corrected for how many there are.

The seed is the unit: each arm was trained in full under each of the same seeds, so a difference is paired seed by seed.
That speaks of trainings on this data. How far a result carries to other subjects is another question, which the
intervals over subjects of `core.bootstrap` answer on the test table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from scipy import special

from core.intervals import Interval, paired_difference

LEVEL = 0.95
_ROUNDING = 1e-12  # of an objective in [0, 1]
_EXACT = 16  # seeds up to which every assignment of signs is tried


@dataclass(frozen=True)
class Pair:
    """first minus second, `first` being the arm with the higher mean.

    p: two-sided, Student's t of the paired differences. p_exact: two-sided share of sign assignments whose mean is as
    far from 0, which assumes no normality but cannot fall below 2 / 2**seeds. corrected: p after Holm over all pairs.
    effect: Hedges' g of the paired differences, None where they do not vary.
    """

    first: str
    second: str
    difference: Interval
    p: float
    p_exact: float | None
    corrected: float
    effect: float | None

    @property
    def apart(self) -> bool:
        """Whether the corrected p-value says so at the 5 % level."""
        return self.corrected < 1 - LEVEL


def compare(values: Mapping[str, Sequence[float]]) -> list[Pair]:
    """Every pair of arms, the smallest p first. values: by arm, in the order of the common seeds.

    Raises ValueError with fewer than two arms, or fewer than two seeds, or unequal numbers of them.
    """
    if len(values) < 2:
        raise ValueError("a comparison needs at least two arms")
    means = {name: float(np.mean(found)) for name, found in values.items()}
    ordered = sorted(values, key=lambda name: -means[name])
    named = list(combinations(ordered, 2))
    differences = [np.subtract(values[a], values[b]) for a, b in named]
    ps = [_student(difference) for difference in differences]
    corrected = holm(ps)
    pairs = [
        Pair(a, b, paired_difference(values[a], values[b], level=LEVEL), p, _sign_flips(d), c, hedges(d))
        for (a, b), d, p, c in zip(named, differences, ps, corrected, strict=True)
    ]
    return sorted(pairs, key=lambda pair: (pair.p, pair.first, pair.second))


def holm(ps: Sequence[float]) -> list[float]:
    """p-values after Holm's step-down correction (1979), in the given order, at most 1."""
    order = np.argsort(ps)
    scaled = [min(1.0, (len(ps) - rank) * ps[index]) for rank, index in enumerate(order)]
    found = np.empty(len(ps))
    found[order] = np.maximum.accumulate(scaled)
    return [float(p) for p in found]


def hedges(differences: Sequence[float] | np.ndarray) -> float | None:
    """Mean over standard deviation of paired differences, with Hedges' correction for few of them (1981)."""
    n, spread = len(differences), float(np.std(differences, ddof=1))
    return None if _equal(differences) else float(np.mean(differences)) / spread * (1 - 3 / (4 * (n - 1) - 1))


def detectable(values: Mapping[str, Sequence[float]]) -> tuple[float, float]:
    """The differences that the most and the least certain pair need to be found apart: corrected critical values.

    Smaller ones may exist; so few seeds would not have shown them.
    """
    differences = [np.subtract(values[a], values[b]) for a, b in combinations(values, 2)]
    errors = [float(np.std(d, ddof=1)) / np.sqrt(len(d)) for d in differences]
    critical = special.stdtrit(len(differences[0]) - 1, 1 - (1 - LEVEL) / 2 / len(differences))
    return float(min(errors) * critical), float(max(errors) * critical)


def verdict(values: Mapping[str, Sequence[float]], pairs: Sequence[Pair]) -> str:
    """What the comparison says, in words; that there is no clear winner is said aloud."""
    means = {name: float(np.mean(found)) for name, found in values.items()}
    best = max(means, key=lambda name: means[name])
    seeds = len(next(iter(values.values())))
    below = [pair.second for pair in pairs if pair.apart and pair.first == best]
    rest = [name for name in values if name != best and name not in below]
    reach = _reach(seeds, *detectable(values))
    if not rest:
        return f"{best} is clearly best: apart from every other arm ({', '.join(below)}). {reach}."
    apart = f"; it is clearly above {', '.join(below)}" if below else ""
    others = [f"{pair.first} above {pair.second}" for pair in pairs if pair.apart and pair.first != best]
    besides = f" Also apart: {', '.join(others)}." if others else ""
    return (
        f"No clear winner: {best} has the highest mean, {means[best]:.4f}, but is not clearly above {', '.join(rest)}"
        f"{apart}.{besides} {reach}."
    )


def _reach(seeds: int, least: float, most: float) -> str:
    """Objectives lie between 0 and 1, and so no two differ by more."""
    if least >= 1:
        return f"{seeds} seeds can show no difference here"
    if most >= 1:
        return (
            f"{seeds} seeds can show differences of about {least:.3f} here at best, and none of the least certain pair"
        )
    low, high = f"{least:.3f}", f"{most:.3f}"
    needed = f"about {low}" if low == high else f"about {low} to {high}, by pair,"
    return f"{seeds} seeds can show differences of {needed} here"


def _student(differences: np.ndarray) -> float:
    """Without spread the statistic has no scale: equal arms are not apart, others certainly."""
    if _equal(differences):
        return 1.0 if abs(differences[0]) < _ROUNDING else 0.0
    t = np.mean(differences) / np.std(differences, ddof=1) * np.sqrt(len(differences))
    return 2 * float(special.stdtr(len(differences) - 1, -abs(t)))


def _equal(differences: Sequence[float] | np.ndarray) -> bool:
    return bool(np.ptp(differences) < _ROUNDING)


def _sign_flips(differences: np.ndarray) -> float | None:
    if len(differences) > _EXACT:
        return None
    signs = np.array(list(product((-1, 1), repeat=len(differences))))
    means = np.abs(signs @ differences)
    return float(np.mean(means >= abs(differences.sum()) * (1 - 1e-12)))
