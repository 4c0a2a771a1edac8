"""Ablations: TOML in, arms out. Everything is equal but what an arm names.

preset      the configuration to start from
[study]     seeds of the comparison, and trials of an arm's own search
[fixed]     departures from the preset that every arm shares
[arms.NAME] what this arm changes, by dotted path; optionally a preset of its own
[arms.NAME.space]  what this arm searches before it is compared: every arm that does gets the same number of trials
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar

from annotated_types import Ge
from pydantic import TypeAdapter, ValidationError

from core.config import Config
from core.errors import BadConfig, nearest
from core.presets import PRESETS
from core.strict import STRICT
from study.parameters import Choice, Range, Seed, Value
from study.reading import settled, told
from study.space import Plan, Space


@dataclass(frozen=True)
class Budget:
    """seeds: fresh ones for each arm, common to all. trials: of each arm's own search, for arms that have a space."""

    seeds: Annotated[int, Ge(3)] = 5
    seed: Seed = 0
    trials: Annotated[int, Ge(1)] | None = None

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT


@dataclass(frozen=True)
class Arm:
    """One thing to compare. values: its settings by dotted path. space: what it searches first."""

    preset: str | None = None
    values: dict[str, Value] = field(default_factory=dict)
    space: dict[str, Range | Choice] = field(default_factory=dict)

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT


@dataclass(frozen=True)
class Ablation:
    """A loaded ablation."""

    arms: dict[str, Arm]
    study: Budget = field(default_factory=Budget)
    preset: str = "paper"
    fixed: dict[str, Value] = field(default_factory=dict)

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    @property
    def seeds(self) -> list[int]:
        """Seeds of the comparison: never those that an arm's search has seen."""
        return [1000 * (self.study.seed + 1) + index for index in range(self.study.seeds)]

    @property
    def epochs(self) -> int:
        """Of every training: the same for all arms."""
        return self.space(next(iter(self.arms))).base().training.epochs

    def space(self, name: str) -> Space:
        """An arm as a search space; one that searches nothing has a single configuration, its base."""
        arm = self.arms[name]
        plan = Plan(self.study.trials or 1, self.study.seed, reduction=1, seeds=self.study.seeds)
        return Space(plan, arm.space, arm.preset or self.preset, self.fixed | arm.values)

    def config(self, name: str) -> Config:
        """An arm's configuration before any search."""
        return self.space(name).base()

    def trained(self) -> tuple[str, ...]:
        """Transforms that some arm trains on. No arm is judged by anything like them, so that none is favoured."""
        return tuple(dict.fromkeys(transform for name in self.arms for transform in self.space(name).trained()))


def parse_ablation(text: str, settings: Mapping[str, Value], where: str) -> tuple[Ablation, str]:
    """An ablation with settings such as {'fixed.training.epochs': 4} put over its text, and the text as it now stands.

    Raises BadConfig naming the file, the dotted path, the value and what was expected.
    """
    try:
        data, changed = settled(text, settings)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"{where}: not TOML: {error}") from None
    arms = data.get("arms")
    if not isinstance(arms, dict) or len(arms) < 2 or not all(isinstance(arm, dict) for arm in arms.values()):
        raise BadConfig(
            f"{where}: arms: expected two or more tables [arms.NAME], each with what it changes "
            f"(a search space belongs to study.search)"
        )
    named = {
        name: {"values": {path: value for path, value in arm.items() if path not in ("preset", "space")}}
        | {part: arm[part] for part in ("preset", "space") if part in arm}
        for name, arm in arms.items()
    }
    try:
        ablation = TypeAdapter(Ablation).validate_python(data | {"arms": named})
    except ValidationError as error:
        _, found, expected = told(error)
        raise BadConfig(f"{where}: {found}: {expected}") from None
    try:
        return _checked(ablation), changed
    except BadConfig as mistake:
        raise BadConfig(f"{where}: {mistake}") from None


def _checked(ablation: Ablation) -> Ablation:
    """The same with the space of every arm as `Space.checked` gives it."""
    epochs = {}
    arms: dict[str, Arm] = {}
    configs: dict[str, Config] = {}
    for name, arm in ablation.arms.items():
        if not name.replace("-", "").replace("_", "").isalnum():
            raise BadConfig(f"arms.{name}: expected a name of letters, digits, - and _")
        if (arm.preset or ablation.preset) not in PRESETS:
            wrong = arm.preset or ablation.preset
            raise BadConfig(
                f"arms.{name}.preset = {wrong!r}: expected one of {', '.join(PRESETS)}{nearest(wrong, PRESETS)}"
            )
        if arm.space and ablation.study.trials is None:
            raise BadConfig(f"arms.{name}.space: expected study.trials, the number of trials of each arm's search")
        try:
            space = ablation.space(name).checked()
            arms[name] = replace(arm, space=space.space)
            configs[name] = space.base()
        except BadConfig as mistake:
            raise BadConfig(f"arms.{name}: {mistake}") from None
        epochs[name] = configs[name].training.epochs
        same = next((other for other in configs if other != name and configs[other] == configs[name]), None)
        if same and not arm.space:
            raise BadConfig(f"arms.{name}: is the same as arms.{same}")
    if len(set(epochs.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in epochs.items())
        raise BadConfig(f"training.epochs differ ({told}): expected the same budget for every arm")
    return replace(ablation, arms=arms)
