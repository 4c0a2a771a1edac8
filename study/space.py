"""Search spaces: TOML in, configurations out. Checked at both ends of every range before a study begins.

preset      the configuration to start from, by its name in core/presets/
[study]     how many trials, seeds and rungs
[fixed]     departures from the preset that every trial shares
[space]     what is searched, by dotted path
[controls]  what to compare the winner with: variants of it, or "base", the preset with [fixed] as nobody searched it
"""

from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Annotated, Any, ClassVar, Literal

import optuna
from annotated_types import Ge

from core.config import Config, flatten, override, to_dict
from core.errors import BadConfig, nearest
from core.presets import PRESETS
from core.strict import STRICT
from study.parameters import Choice, Range, Seed, Value


@dataclass(frozen=True)
class Plan:
    """How much is spent. The epochs of a full training are the configuration's, training.epochs.

    trials: configurations to try. grace: epochs before ASHA may stop one; reduction: one in that many goes on from
    each rung; 1 switches ASHA off. top: configurations that are replicated; seeds: fresh seeds for each.
    """

    trials: Annotated[int, Ge(1)]
    seed: Seed = 0
    grace: Annotated[int, Ge(1)] = 1
    reduction: Annotated[int, Ge(1)] = 3
    top: Annotated[int, Ge(1)] = 3
    seeds: Annotated[int, Ge(3)] = 3

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def replicate_seeds(self) -> list[int]:
        """Seeds of the replicates: never the search's, which is `seed` itself."""
        return [1000 * (self.seed + 1) + index for index in range(self.seeds)]


@dataclass(frozen=True)
class Space:
    """A loaded search space."""

    study: Plan
    space: dict[str, Range | Choice]
    preset: str = "paper"
    fixed: dict[str, Value] = field(default_factory=dict)
    controls: dict[str, dict[str, Value] | Literal["base"]] = field(default_factory=dict)

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise ValueError(f"expected one of {', '.join(PRESETS)}{nearest(self.preset, PRESETS)}")

    def base(self) -> Config:
        """The configuration that trials depart from."""
        return override(PRESETS[self.preset], self.fixed, "fixed")

    def active(self, name: str, values: dict[str, Value]) -> bool:
        """Whether a parameter is searched, given the values of those before it."""
        return all(values.get(other) in allowed for other, allowed in self.space[name].when.items())

    def suggest(self, trial: optuna.trial.BaseTrial) -> dict[str, Value]:
        """Ask Optuna for one configuration's values, define-by-run."""
        values: dict[str, Value] = {}
        for name, parameter in self.space.items():
            if self.active(name, values):
                values[name] = parameter.suggest(trial, name)
        return values

    def holds(self, name: str, value: Any) -> bool:
        """Whether this space could give a parameter this value."""
        return name in self.space and self.space[name].holds(value)

    def trained(self) -> tuple[str, ...]:
        """Transforms that some configuration of this space uses."""
        base = self.base()
        ends = {name: parameter.ends() for name, parameter in self.space.items()}
        kinds = ends.get("detector.kind", (base.detector.kind,))
        used = any(override(base, {"detector.kind": kind}, "space").detector.uses_outliers for kind in kinds)
        # A VAE uses them as soon as some trial gives its context a weight.
        if not used and not any(ends.get("detector.context_weight", ())):
            return ()
        members = base.synthesis.mix.members
        weights = {name: ends.get(f"synthesis.mix.{name}.weight", (member.weight,)) for name, member in members.items()}
        return tuple(name for name, found in weights.items() if max(map(float, found)) > 0)

    def configure(self, values: dict[str, Any]) -> Config:
        """The configuration with these values. Raises BadConfig."""
        return override(self.base(), values, "space")

    def checked(self) -> "Space":
        """The same with every range's ends and every choice in the type of its field, by which a range is whole or not.

        The configuration is built at every end of every range, and at every pair of ends, before anything is spent.
        Raises BadConfig.
        """
        return _checked(self)

    def control(self, name: str, winner: Config) -> Config:
        """A control: the winner with the control's values instead, or the base. Raises BadConfig."""
        values = self.controls[name]
        return self.base() if values == "base" else override(winner, values, f"controls.{name}")

    def values_of(self, config: Config) -> dict[str, Value] | None:
        """The values by which this space would reach a configuration's choices, or None when it cannot."""
        flat = flatten(to_dict(config))
        values: dict[str, Value] = {}
        for name, parameter in self.space.items():
            if self.active(name, values):
                if not parameter.holds(flat.get(name)):
                    return None
                values[name] = flat[name]
        return values


def _checked(space: Space) -> Space:
    base = space.base()
    if space.study.reduction > 1 and space.study.grace > base.training.epochs:
        raise BadConfig(f"study.grace = {space.study.grace}: expected at most training.epochs = {base.training.epochs}")
    if "training.epochs" in space.space:
        raise BadConfig("space.training.epochs: every trial has the same full budget; set it under [fixed]")
    typed: dict[str, Range | Choice] = {}
    for name, parameter in space.space.items():
        for other, allowed in parameter.when.items():
            if other not in space.space:
                raise BadConfig(f"space.{name}.when.{other}: there is no such parameter in this space")
            if other not in typed:
                raise BadConfig(f"space.{name}.when.{other}: expected {other} to stand before {name} in this space")
            if not allowed:
                raise BadConfig(f"space.{name}.when.{other} = []: expected the values for which {name} is searched")
            for value in allowed:
                if not typed[other].holds(value):
                    raise BadConfig(f"space.{name}.when.{other} = {value!r}: {other} never takes this value")
        typed[name] = _typed(space, name)
    space = replace(space, space=typed)
    for first, second in combinations(space.space, 2):
        for one in space.space[first].ends():
            for two in space.space[second].ends():
                _build(space, {first: one, second: two})
    for control in space.controls:
        space.control(control, base)
    return space


def _typed(space: Space, name: str) -> Range | Choice:
    """A parameter that fits its field at every end, with its ends as the configuration holds them."""
    parameter = space.space[name]
    built = (_build(space, {name: end}) for end in parameter.ends())
    ends = [flatten(to_dict(config))[name] for config in built if config]
    if isinstance(parameter, Choice):
        return replace(parameter, choices=ends)
    return replace(parameter, low=ends[0], high=ends[1])


def _build(space: Space, ends: dict[str, Value]) -> Config | None:
    """Configure with some parameters at an end; conditions take the first value that allows them, others the base's.

    None for parameters that are never searched together.
    """
    needed: dict[str, Value] = dict(ends)
    for name in ends:
        for other, allowed in space.space[name].when.items():
            if other in needed and needed[other] not in allowed:
                return None
            needed.setdefault(other, allowed[0])
    return space.configure(needed)
