"""An estimate with its interval, and Student's t over training seeds; `core.bootstrap` has those over subjects."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special  # scipy.stats would take a second to import


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval. method says what was resampled or assumed, and how often.

    subjects: how many were resampled, 0 for an interval over seeds alone. level: nominal coverage in (0, 1).
    """

    estimate: float
    low: float
    high: float
    level: float
    subjects: int
    seeds: int
    method: str


def mean_interval(values: Sequence[float], *, level: float = 0.95) -> Interval:
    """Mean over training seeds with Student's t interval. Raises ValueError with fewer than two values."""
    if len(values) < 2:
        raise ValueError(f"an interval over seeds needs at least two, and there is {len(values)}")
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))
    reach = float(special.stdtrit(len(values) - 1, tails(level)[1])) * error
    return Interval(mean, mean - reach, mean + reach, level, 0, len(values), "Student t over seeds")


def paired_difference(first: Sequence[float], second: Sequence[float], *, level: float = 0.95) -> Interval:
    """Mean of first - second over common seeds with Student's t interval.

    Raises ValueError when lengths differ or with fewer than two values.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values cannot be paired with {len(second)}")
    return mean_interval([a - b for a, b in zip(first, second, strict=True)], level=level)


def tails(level: float) -> tuple[float, float]:
    """The shares below and above which a two-sided interval ends. Raises ValueError unless 0 < level < 1."""
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval must lie between 0 and 1, not {level}")
    return (1 - level) / 2, (1 + level) / 2
