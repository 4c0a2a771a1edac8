"""What is searched: numbers in a range, or one of several values."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, cast

import optuna
from annotated_types import Ge, Le, MinLen

from core.strict import STRICT

Value = bool | int | float | str
Seed = Annotated[int, Ge(0), Le(2**32 - 1)]


@dataclass(frozen=True)
class Range:
    """A number between low and high, both included; whole when both are integers. when: see Choice.

    A checked space has ends of its field's type: `low = 0, high = 1` for a fraction is the range from 0.0 to 1.0.
    """

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

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are searched."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def ends(self) -> tuple[Value, ...]:
        """The values at which the range is checked."""
        return self.low, self.high

    def holds(self, value: Any) -> bool:
        """Whether the range could give this value."""
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        return not self.whole or float(value).is_integer()

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> Value:
        """Ask Optuna."""
        if self.whole:
            return int(trial.suggest_int(name, int(self.low), int(self.high), log=self.log))
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
