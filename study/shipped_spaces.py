"""The search spaces that come with the project, by name."""

from importlib.resources import files
from importlib.resources.abc import Traversable


def shipped(name: str) -> Traversable:
    """Where the space of this name lies, if it comes with the project."""
    return files("search_spaces") / f"{name}.toml"


def space_names(*, ablations: bool | None = None) -> list[str]:
    """Names of all spaces that come with the project; of those to search alone, or of those that compare arms."""
    names = sorted(f.name.removesuffix(".toml") for f in files("search_spaces").iterdir() if f.name.endswith(".toml"))
    if ablations is None:
        return names
    return [name for name in names if ("\n[arms" in shipped(name).read_text(encoding="utf-8")) == ablations]
