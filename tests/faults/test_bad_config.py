"""Mistakes on the command line: one sentence, exit code 2, no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("core.train", "--set", "loss.alhpa=0.3"), "did you mean loss.alpha"),
        (("core.train", "--set", "loss.alpha=7"), "loss.alpha = 7"),
        (("core.train", "--best", "nothing"), "no best.json"),
        (("core.probe", "--train", "missing.arrow"), "missing.arrow"),
        (("study.search", "--space", "nonsense"), "nonsense"),
        (("study.report", "nothing"), "'nothing' was not found"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    done = _run(tmp_path, *arguments)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("*.arrow"))
