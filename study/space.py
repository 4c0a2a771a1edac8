"""Search spaces: TOML in, configurations out. Checked at both ends of every range before a study begins.

preset      the configuration to start from, by its name in core/presets/
[study]     how many trials, seeds and rungs
[fixed]     departures from the preset that every trial shares
[space]     what is searched, by dotted path
[controls]  what to compare the winner with: variants of it, or "base", the preset with [fixed] as nobody searched it
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import optuna
from annotated_types import Ge
from pydantic import TypeAdapter, ValidationError

from core.config import Config, flatten, override, to_dict
from core.errors import BadConfig, nearest
from core.presets import PRESETS
from study.parameters import STRICT, Choice, Range, Value
from study.settings import recorded


@dataclass(frozen=True)
class Plan:
    """How much is spent. The epochs of a full training are the configuration's, training.epochs.

    trials: configurations to try. grace: epochs before ASHA may stop one; reduction: one in that many goes on from
    each rung; 1 switches ASHA off. top: configurations that are replicated; seeds: fresh seeds for each.
    """

    trials: Annotated[int, Ge(1)]
    seed: Annotated[int, Ge(0)] = 0
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
        """The same with the ends of every range in the type of its field, by which it is whole or not.

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


_FIELDS = [each.name for kind in (Plan, Space, Range, Choice) for each in fields(kind)]


def read_space(name: str) -> tuple[str, str]:
    """A space by path, or by the name of one that comes with the project: (name, text). Raises BadConfig."""
    path = Path(name)
    shipped = files("search_spaces") / f"{name.removesuffix('.toml')}.toml"
    if path.is_file():
        text = path.read_text(encoding="utf-8")
    elif shipped.is_file():
        text = shipped.read_text(encoding="utf-8")
    else:
        known = sorted(
            f.name.removesuffix(".toml") for f in files("search_spaces").iterdir() if f.name.endswith(".toml")
        )
        near = nearest(name, known)
        raise BadConfig(f"search space {name!r}: not a file and not one of {', '.join(known)}{near}")
    return path.stem, text


def load_space(name: str) -> tuple[str, Space, str]:
    """The same with the space itself: (name, space, text). Raises BadConfig."""
    stem, text = read_space(name)
    return stem, parse_space(text, Path(name).name), text


def parse_space(text: str, where: str) -> Space:
    """Read and check a space. Raises BadConfig naming the file, the dotted path, the value and what was expected."""
    try:
        data = tomllib.loads(text)
        if "arms" in data:
            raise BadConfig(f"{where}: has [arms], so it is an ablation; use it with python -m study.ablation")
        return build_space(data, where)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"{where}: not TOML: {error}") from None


def build_space(data: dict[str, Any], where: str) -> Space:
    """Check plain data as a space. Raises BadConfig."""
    try:
        space = TypeAdapter(Space).validate_python(data)
    except ValidationError as error:
        # A parameter is tried as a Range and as a Choice; what fits it worse only adds noise.
        problems = [p for p in error.errors() if "Choice" not in p["loc"]] or error.errors()
        path = ".".join(part for part in map(str, problems[0]["loc"]) if part != "Range" and "[" not in part)
        if problems[0]["type"] == "dict_type" and path.startswith("controls."):
            raise BadConfig(f'{where}: {path} = {problems[0]["input"]!r}: expected a table, or "base"') from None
        value = "" if isinstance(problems[0]["input"], dict) else f" = {problems[0]['input']!r}"
        hint = nearest(str(problems[0]["loc"][-1]), _FIELDS) if "nexpected" in problems[0]["msg"] else ""
        raise BadConfig(f"{where}: {path}{value}: {problems[0]['msg']}{hint}") from None
    try:
        return space.checked()
    except BadConfig as mistake:
        raise BadConfig(f"{where}: {mistake}") from None


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
    """A parameter that fits its field at every end, with the ends of a range as the configuration holds them."""
    parameter = space.space[name]
    built = [_build(space, {name: end}) for end in parameter.ends()]
    if isinstance(parameter, Choice):
        return parameter
    low, high = (flatten(to_dict(config))[name] for config in built if config)
    return replace(parameter, low=low, high=high)


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


def with_settings(text: str, settings: dict[str, Value], where: str) -> tuple[Space, str]:
    """A space with settings such as {'fixed.training.epochs': 4, 'study.trials': 6} put over its text.

    Returns the space and the text as it now stands, which defines the study. Raises BadConfig.
    """
    if not settings:
        return parse_space(text, where), recorded(text, {})
    data, changed = settled(text, settings)
    return build_space(data, where), changed


def settled(text: str, settings: Mapping[str, Value]) -> tuple[dict[str, Any], str]:
    """The data of a TOML text with settings put over it, and the text with these recorded in it. Raises BadConfig."""
    data = tomllib.loads(text)
    arms = data["arms"] if isinstance(data.get("arms"), dict) else {}
    for path, value in settings.items():
        match path.split(".", 2):
            case ["fixed" | "study" as part, _, *_]:
                data.setdefault(part, {})[path.removeprefix(f"{part}.")] = value
            case ["arms", name, setting] if isinstance(arms.get(name), dict):
                arms[name][setting] = value
            case _:
                known = [f"fixed.{name}" for name in flatten(to_dict(Config()))]
                known += [f"study.{each.name}" for each in fields(Plan)]
                under = f", or under {', '.join(f'arms.{name}' for name in arms)}" if arms else ""
                raise BadConfig(
                    f"--set {path}={value}: expected a path under fixed or study, such as fixed.training.epochs{under}"
                    f"{nearest(path, known)}"
                )
    return data, recorded(text, settings)
