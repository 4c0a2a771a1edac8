"""The house: what imports what, how long files are, and that programs define nothing but themselves."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "core").rglob("*.py"), *(ROOT / "study").rglob("*.py")])
PROGRAMS = [path for path in SOURCES if "if __name__" in path.read_text(encoding="utf-8")]


def test_the_science_loads_without_the_search() -> None:
    code = (
        "import sys, core.training, core.retraining, core.evaluate; "
        "print([m for m in ('ray', 'optuna', 'plotly', 'nilearn', 'study') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 260


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs_define_no_classes(path: Path) -> None:
    """Ray pickles what lives in __main__ by value, so nothing that travels may be defined there."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert not [node.name for node in body if isinstance(node, ast.ClassDef)]
    assert "main" in [node.name for node in body if isinstance(node, ast.FunctionDef)]
