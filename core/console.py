"""What every program shares with the terminal: output, and one sentence with exit code 2 for expected mistakes.

A program imports what it runs when it runs: reading its help, or completing a word of its command line, would otherwise
wait seconds for torch and Ray.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from rich.console import Console
from typer.exceptions import TyperException

from core.command import application, has_name, sentence
from core.errors import StudyError

# Names are shown as they are: to rich, `:x:` in one would be a picture.
out = Console(soft_wrap=True, highlight=False, emoji=False)
if not out.is_terminal:
    out.width = 160  # logs are not 80 columns wide, and tables should not be broken for them
err = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


def run(program: Callable[..., Any]) -> None:
    """Run a typer program and exit: with 2 after an expected mistake, told in one sentence, with 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal cannot show ends no program
    try:
        code = application(program, completes=has_name())(standalone_mode=False)
    except TyperException as mistake:
        _end(sentence(mistake))
    except StudyError as mistake:
        _end(str(mistake))
    except OSError as failure:
        where = f" {failure.filename!r}" if failure.filename else ""
        _end(f"the system refused a file operation{where}: {failure.strerror or failure}")
    except UnicodeEncodeError as failure:
        if not failure.reason.startswith("surrogates"):
            raise
        _end(f"{failure.object!r}: holds bytes that are no text in UTF-8, expected another name")
    except KeyboardInterrupt:
        code = 130
    if code == 130:
        err.print("interrupted", style="yellow")
    sys.exit(code or 0)


def named() -> None:
    """What every console name of the project runs: study-search is `python -m study.search`, and so on."""
    run(import_module(Path(sys.argv[0]).stem.replace("-", ".", 1)).main)


def _end(text: str) -> None:
    err.print(f"error: {text}", style="red", markup=False)
    sys.exit(2)
