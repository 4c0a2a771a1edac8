"""What is searched: numbers in a range, or one of several values."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, cast

import optuna
from annotated_types import MinLen

Value = bool | int | float | str
STRICT: dict[str, Any] = {"extra": "forbid"}


@dataclass(frozen=True)
class Range:
    """A number between low and high, both included; whole when both are whole. when: see Choice."""

    low: int | float
    high: int | float
    log: bool = False
    when: dict[str, list[Value]] = field(default_factory=dict)

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low} must be below high = {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low = {self.low} must be positive for a log range")

    def ends(self) -> tuple[Value, ...]:
        """The values at which the range is checked."""
        return self.low, self.high

    def holds(self, value: Any) -> bool:
        """Whether a value lies in the range."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> Value:
        """Ask Optuna."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return int(trial.suggest_int(name, self.low, self.high, log=self.log))
        return float(trial.suggest_float(name, float(self.low), float(self.high), log=self.log))


@dataclass(frozen=True)
class Choice:
    """One of several values. when: searched only if each named parameter has one of the listed values."""

    choices: Annotated[list[Value], MinLen(2)]
    when: dict[str, list[Value]] = field(default_factory=dict)

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def ends(self) -> tuple[Value, ...]:
        """Every choice."""
        return tuple(self.choices)

    def holds(self, value: Any) -> bool:
        """Whether a value is among the choices."""
        return value in self.choices

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> Value:
        """Ask Optuna."""
        return cast(Value, trial.suggest_categorical(name, self.choices))
