"""Mistakes on the command line: one sentence, exit code 2, no traceback."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import forked


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def _forked(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run(program, arguments, cwd=folder, env=os.environ)


@pytest.mark.parametrize(
    ("run", "arguments", "told"),
    [
        (_run, ("core.train", "--set", "loss.alhpa=0.3"), "did you mean loss.alpha"),
        (_forked, ("core.train", "--set", "loss.alpha=7"), "loss.alpha = 7"),
        (_forked, ("core.train", "--best", "nothing"), "no best.json"),
        (_run, ("core.probe", "--train", "missing.arrow"), "missing.arrow"),
        (_run, ("study.search", "--space", "nonsense"), "nonsense"),
        (_run, ("study.report", "nothing"), "'nothing' was not found"),
    ],
)
def test_a_mistake_is_one_sentence(
    run: Callable[..., subprocess.CompletedProcess[str]], arguments: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("*.arrow"))
