"""The house: what imports what, how long files are, and that programs define nothing but themselves."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from core.slices.table import SliceTable

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "core").rglob("*.py"), *(ROOT / "study").rglob("*.py")])
PROGRAMS = [path for path in SOURCES if "if __name__" in path.read_text(encoding="utf-8")]


def test_the_science_trains_where_the_search_is_not_installed(healthy: SliceTable) -> None:
    """Not one of these packages may be imported, and a training ends all the same."""
    code = f"""
import sys
absent = ("ray", "optuna", "plotly", "nilearn", "study")
sys.modules.update(dict.fromkeys(absent))  # an import of them raises
import core.retraining, core.evaluate, core.train
from core.config import Config, override
from core.slices.table import open_table
from pathlib import Path
from core.training import train
small = {{"detector.base": 2, "detector.depth": 1, "training.epochs": 1}}
(epoch,) = train(override(Config(), small), open_table(Path({str(healthy.path)!r})), seed=0, device="cpu")
print(epoch.number, [name for name in absent if sys.modules[name] is not None])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.strip() == "1 []", done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 260


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs_define_no_classes(path: Path) -> None:
    """Ray pickles what lives in __main__ by value, so nothing that travels may be defined there."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert not [node.name for node in body if isinstance(node, ast.ClassDef)]
    assert "main" in [node.name for node in body if isinstance(node, ast.FunctionDef)]
