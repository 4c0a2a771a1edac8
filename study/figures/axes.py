"""Axes of searched parameters: where a value lies between the ends of what was searched, linear, log, or by choice."""

from collections.abc import Sequence
from math import log10
from typing import Any, NamedTuple

from optuna.distributions import BaseDistribution, CategoricalDistribution

from study.figures.style import number
from study.records import TrialRecord


class Axis(NamedTuple):
    """One axis: its dotted name and its ticks, (place in 0..1, text)."""

    name: str
    ticks: tuple[tuple[float, str], ...]
    log: bool = False


def searched(trials: Sequence[TrialRecord]) -> dict[str, BaseDistribution]:
    """Every parameter that any of the trials has, in the order in which they were first searched."""
    found: dict[str, BaseDistribution] = {}
    for trial in trials:
        found |= {name: kind for name, kind in trial.distributions.items() if name not in found}
    return found


def axis_of(name: str, kind: BaseDistribution) -> Axis:
    """The axis of a parameter: a tick per choice, or the two ends and the middle, which is geometric where log."""
    if isinstance(kind, CategoricalDistribution):
        last = max(len(kind.choices) - 1, 1)
        return Axis(name, tuple((index / last, str(choice)) for index, choice in enumerate(kind.choices)))
    low, high = float(getattr(kind, "low", 0.0)), float(getattr(kind, "high", 1.0))
    if getattr(kind, "log", False):
        return Axis(name, ((0.0, number(low, 3)), (0.5, number((low * high) ** 0.5, 2)), (1.0, number(high, 3))), True)
    return Axis(name, ((0.0, number(low, 3)), (0.5, number((low + high) / 2, 3)), (1.0, number(high, 3))))


def place_of(kind: BaseDistribution, value: Any) -> float | None:
    """Where a value lies on its axis, 0 to 1; None for a choice that the axis does not have."""
    if isinstance(kind, CategoricalDistribution):
        # Another trial may have been asked from other choices, when the space of a loose Optuna study was edited.
        return kind.choices.index(value) / max(len(kind.choices) - 1, 1) if value in kind.choices else None
    low, high = float(getattr(kind, "low", 0.0)), float(getattr(kind, "high", 1.0))
    if high <= low:
        return 0.5
    if getattr(kind, "log", False):
        return (log10(value) - log10(low)) / (log10(high) - log10(low))
    return (float(value) - low) / (high - low)


def word_of(value: Any) -> str:
    """A value as a hover text has it."""
    return number(value) if isinstance(value, float) else str(value)
