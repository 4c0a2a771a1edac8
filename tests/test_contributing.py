"""CONTRIBUTING.md, followed word by word in a copy of the project: each new member signs its contract."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "CONTRIBUTING.md"
NEW = re.compile(r"^\*\*(.+?):\*\* `(tests/recipes/\w+\.py)` is a whole `(core/\S+\.py)`\.", re.MULTILINE)
EDIT = re.compile(r"^```diff\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONTRACTS = {
    "tests/synthesis/test_masks.py": "Diamond",
    "tests/synthesis/test_transforms.py": "dim",
    "tests/detectors/test_detectors.py": "Surroundings",
    "tests/slices/test_sources.py": "sessions",
}
CHOSEN = """
from core.config import Config, override

def test_new_members_are_chosen_by_name() -> None:
    new = {"detector.kind": "surroundings", "synthesis.mask.kind": "diamond", "synthesis.mix.dim.weight": 0.5}
    made = override(Config(), new)
    assert (made.detector.reach, made.synthesis.mask.reach, made.synthesis.mix.dim.weight) == (4, 16.0, 0.5)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it is after all recipes were followed."""
    root = tmp_path_factory.mktemp("copy")
    for part in ("core", "study", "search_spaces", "tests"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    text = RECIPES.read_text(encoding="utf-8")
    for _, recipe, name in NEW.findall(text):
        assert not (root / name).exists(), f"{name} is there already"
        shutil.copy(ROOT / recipe, root / name)
    for name, change in EDIT.findall(text):
        path = root / name
        path.write_text(edited(path.read_text(encoding="utf-8"), change, name), encoding="utf-8")
    return root


def edited(text: str, diff: str, name: str) -> str:
    """Apply a diff without line numbers: each change goes where its kept or taken lines stand, which is one place.

    A line that is taken or kept may be the beginning of one; the rest of it stays.
    """
    for change in changes(diff):
        old = "\n".join(line[1:] for line in change if line[0] in " -")
        new = "\n".join(line[1:] for line in change if line[0] in " +")
        assert text.count(f"\n{old}") == 1, f"{name}: {old!r} stands there {text.count(old)} times"
        text = text.replace(f"\n{old}", f"\n{new}")
    return text


def changes(diff: str) -> list[list[str]]:
    """Runs of lines that belong together: what is added stands beside one kept line, or instead of a taken one."""
    found: list[list[str]] = []
    for line in diff.splitlines():
        added = line.startswith("+")
        open_ = bool(found) and (not any(one[0] in " -" for one in found[-1]) or added)
        if open_:
            found[-1].append(line)
        else:
            found.append([line])
    return found


def test_there_are_four_recipes_on_a_screen() -> None:
    text = RECIPES.read_text(encoding="utf-8")
    assert [name for name, _, _ in NEW.findall(text)] == ["A mask", "A transform", "A detector", "A source"]
    assert {path for _, path, _ in NEW.findall(text)} == {
        f"tests/recipes/{path.name}" for path in (ROOT / "tests" / "recipes").glob("*.py")
    }
    assert text.count("```") == 2 * len(EDIT.findall(text))
    assert len(text.splitlines()) <= 90


def test_new_members_sign_their_contracts_and_are_chosen_by_name(copy: Path) -> None:
    (copy / "tests" / "test_chosen.py").write_text(CHOSEN, encoding="utf-8")
    wanted, files = " or ".join([*CONTRACTS.values(), "chosen"]), [*CONTRACTS, "tests/test_chosen.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", wanted, "-rA"]
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "PASSED tests/test_chosen.py" in done.stdout
    for contract, member in CONTRACTS.items():
        passed = [line for line in done.stdout.splitlines() if line.startswith("PASSED") and contract in line]
        assert len([line for line in passed if member in line]) >= 3, (contract, passed)
