"""What --set puts over a space, as a study keeps it: comments at the very end of the space's text, sorted by path.

A line of the space's own that looks like one of them is told apart by what follows it: another line, if an empty one.
"""

import ast
import re
from collections.abc import Mapping
from typing import Any

_LINE = re.compile(r"# --set (\S+) = (.+)\n?")


def recorded(text: str, settings: Mapping[str, Any]) -> str:
    """A space's text with the settings of --set, by dotted path, as comments at its end."""
    if parted(text)[1]:
        text += "\n"
    if settings and not text.endswith("\n"):
        text += "\n"
    return text + "".join(f"# --set {path} = {value!r}\n" for path, value in sorted(settings.items()))


def parted(text: str) -> tuple[str, dict[str, Any]]:
    """The inverse of `recorded`, in whatever order the settings were recorded: the space's text, and they by path."""
    lines = text.splitlines(keepends=True)
    found: list[tuple[str, Any]] = []
    while lines and (setting := _setting(lines[-1])):
        found.append(setting)
        lines.pop()
    return "".join(lines), dict(reversed(found))


def _setting(line: str) -> tuple[str, Any] | None:
    """The path and value of a recorded setting, None for any other line."""
    match = _LINE.fullmatch(line)
    try:
        return (match[1], ast.literal_eval(match[2])) if match else None
    except (ValueError, SyntaxError):
        return None
