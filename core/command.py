"""How a program introduces itself: options in groups, then the examples and exit codes of its module's docstring.

All of it is plain text, so that it reads the same on a terminal, in a pager and in a log.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand
from typer.exceptions import TyperException

from core.errors import nearest


class Command(TyperCommand):
    """A typer command whose help has a section for each `rich_help_panel`, and its epilog as it was written."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then groups of options in the order of their first option."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            kind = "Arguments" if parameter.param_type_name == "argument" else "Options"
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or kind, []).append(record)
        if "Options" in groups:
            groups["Options"] = groups.pop("Options")  # --help comes last
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Examples are lines to copy, so nothing is wrapped."""
        if self.epilog:
            formatter.write(f"\n{self.epilog}\n")


def application(program: Callable[..., Any], *, completes: bool) -> typer.Typer:
    """A program's main function as a command line. completes: whether it offers --install-completion.

    A shell completes the name of a command, so that needs a name of its own; `python -m ...` has none.
    """
    app = typer.Typer(add_completion=completes, rich_markup_mode=None, pretty_exceptions_enable=False)
    settings = {"max_content_width": 110}
    app.command(cls=Command, epilog=taught(program), context_settings=settings)(program)
    return app


def taught(program: Callable[..., Any]) -> str:
    """What a program's module teaches: its docstring from `Examples:` on, '' where there is none."""
    _, found, rest = (program.__globals__.get("__doc__") or "").partition("\nExamples:\n")
    return f"{found.strip()}\n{rest.rstrip()}" if found else ""


def has_name() -> bool:
    """Whether this program was started by a console name, such as study-search, rather than by `python -m`."""
    return Path(sys.argv[0]).suffix != ".py"


def sentence(mistake: TyperException) -> str:
    """One sentence about a command line that typer refuses, with the nearest name that it would take."""
    option = getattr(mistake, "option_name", None)
    if option:
        return f"{option}: there is no such option{nearest(option, getattr(mistake, 'possibilities', None) or ())}"
    text = " ".join(mistake.format_message().split()).rstrip(".")
    given, *known = re.findall(r"'([^']*)'", mistake.message) or [""]
    hint = nearest(given, known)
    return f"{text[0].lower()}{text[1:]}{hint}"
