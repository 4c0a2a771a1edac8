"""The search space of a study as its study.json has it: the text, what --set put over it, and its arms."""

import tomllib
from typing import Any

from core.errors import BadStudy, StudyError
from study.folder import Definition
from study.reading import with_settings
from study.settings import parted
from study.space import Space


def settings_of(definition: Definition) -> dict[str, Any]:
    """What was put over the space's text by --set, by path."""
    return parted(definition.space)[1]


def space_text(definition: Definition) -> str:
    """The space's text as it was in its file, without what --set put over it."""
    return parted(definition.space)[0].strip() + "\n"


def arms_of(definition: Definition) -> dict[str, Any]:
    """The arms of an ablation by name, as plain data; none of a search. Raises BadStudy for a text that is not TOML."""
    try:
        arms = tomllib.loads(space_text(definition)).get("arms", {})
    except tomllib.TOMLDecodeError as damaged:
        raise BadStudy(f"search space {definition.space_name}, as study.json has it: not TOML: {damaged}") from None
    return arms if isinstance(arms, dict) else {}


def space_of(definition: Definition) -> Space | None:
    """The space of a search, None where today's program cannot read it."""
    try:
        return with_settings(space_text(definition), settings_of(definition), definition.space_name)[0]
    except (StudyError, ValueError):
        return None


def searching_arms(definition: Definition) -> list[str]:
    """Arms of an ablation that search settings of their own."""
    return [name for name, arm in arms_of(definition).items() if arm.get("space")]
