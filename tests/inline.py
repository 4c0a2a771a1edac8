"""Programs in the process of the test itself: what they say, write and end with, not how a process begins or dies.

A call takes half a second less than one of `tests.forked`, which stays for what a process reads when it starts, such as
its encoding. Here an error that is no expected mistake ends the test itself, with its traceback.
"""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import pytest

from core import console


def run(module: str, arguments: Sequence[str], *, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What `forked.run(module, arguments, cwd=cwd, env=os.environ)` returns."""
    program = import_module(module)
    out, err = StringIO(), StringIO()
    words = patch.object(sys, "argv", [str(program.__file__), *arguments])
    with chdir(cwd), words, redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        console.run(program.main)
    code = end.value.code
    assert isinstance(code, int)
    return subprocess.CompletedProcess([module, *arguments], code, out.getvalue(), err.getvalue())
