"""What every program shares with the terminal: output, and one sentence with exit code 2 for expected mistakes."""

import sys
from collections.abc import Callable
from typing import Any

import typer
from rich.console import Console

from core.errors import StudyError

out = Console(soft_wrap=True, highlight=False)
if not out.is_terminal:
    out.width = 140  # logs are not 80 columns wide, and tables should not be broken for them
err = Console(stderr=True, soft_wrap=True, highlight=False)


def run(program: Callable[..., Any]) -> None:
    """Run a typer program: an expected mistake prints one sentence on stderr and exits with 2, Ctrl-C with 130."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(program)
    try:
        app()
    except StudyError as mistake:
        err.print(f"error: {mistake}", style="red", markup=False)
        sys.exit(2)
    except OSError as failure:
        where = f" {failure.filename!r}" if failure.filename else ""
        err.print(
            f"error: the system refused a file operation{where}: {failure.strerror or failure}",
            style="red",
            markup=False,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        err.print("interrupted", style="yellow")
        sys.exit(130)
