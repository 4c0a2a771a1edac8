"""Search spaces from their TOML text: found, read and checked, with what --set puts over it."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from core.config import Config, flatten, to_dict
from core.errors import BadConfig, nearest
from study.parameters import Choice, Range, Value
from study.settings import recorded
from study.shipped_spaces import shipped, space_names
from study.space import Plan, Space

_KINDS = ("Range", "bool", "int", "float", "str", "values")  # what pydantic puts into a path and nobody wrote there
_FIELDS = [each.name for kind in (Plan, Space, Range, Choice) for each in fields(kind)]


def read_space(name: str) -> tuple[str, str]:
    """A space by path, or by the name of one that comes with the project: (name, text). Raises BadConfig."""
    path = Path(name)
    known = shipped(name.removesuffix(".toml"))
    if path.is_file():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as odd:
            raise BadConfig(
                f"{path}: byte {odd.start} is no UTF-8; expected a TOML file, which is text in UTF-8"
            ) from None
    elif known.is_file():
        text = known.read_text(encoding="utf-8")
    else:
        names = space_names()
        raise BadConfig(f"search space {name!r}: not a file and not one of {', '.join(names)}{nearest(name, names)}")
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
        problem, found, expected = told(error)
        if problem["type"] == "dict_type" and found.startswith("controls."):
            raise BadConfig(f'{where}: {found}: expected a table, or "base"') from None
        hint = nearest(str(problem["loc"][-1]), _FIELDS) if "nexpected" in expected else ""
        raise BadConfig(f"{where}: {found}: {expected}{hint}") from None
    try:
        return space.checked()
    except BadConfig as mistake:
        raise BadConfig(f"{where}: {mistake}") from None


def told(error: ValidationError) -> tuple[ErrorDetails, str, str]:
    """Of what is wrong with a space, the problem to tell of: itself, its dotted path and value, what was expected."""
    # A parameter is tried as a Range and as a Choice; what fits it worse only adds noise.
    problems = [p for p in error.errors() if "Choice" not in p["loc"]] or error.errors()
    problem = next((p for p in problems if p["type"] == "finite_number"), problems[0])
    path = ".".join(part for part in map(str, problem["loc"]) if part not in _KINDS and "[" not in part)
    value = "" if isinstance(problem["input"], dict) else f" = {problem['input']!r}"
    # A setting is tried as everything that one may be, which pydantic tells of one by one.
    expected = "expected true or false, a number or a text" if problem["loc"][-1:] == ("bool",) else problem["msg"]
    return problem, path + value, expected


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
