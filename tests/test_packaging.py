"""What pip installs: wheel and source distribution, built here without a network, and what they hold."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both, built from what a clean clone holds: the source distribution, and from it the wheel."""
    root = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    out = root / "dist"
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(root)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Iterator[zipfile.ZipFile]:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_the_wheel_holds_every_module_space_and_page_and_no_tests(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    modules = {path.relative_to(ROOT).as_posix() for part in ("core", "study") for path in (ROOT / part).rglob("*.py")}
    assert modules <= names, modules - names
    assert {f"search_spaces/{path.name}" for path in (ROOT / "search_spaces").glob("*.toml")} <= names
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "study" / "page").iterdir() if path.is_file()}
    assert {"study/page/page.css", "study/page/page.js"} <= pages <= names
    assert {name.split("/")[0] for name in names} == {"core", "study", "search_spaces"}
    assert sum(info.file_size for info in wheel.infolist()) < 3_000_000


def test_its_metadata_names_programs_extras_and_licence(wheel: zipfile.ZipFile) -> None:
    (folder,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    about = Parser().parsestr(wheel.read(f"{folder}/METADATA").decode())
    assert about["Name"] == "pseudo-outlier-study"
    assert about["License-Expression"] == "Apache-2.0"
    assert {"tracking", "onnx", "postgres"} <= set(about.get_all("Provides-Extra", []))
    assert f"{folder}/licenses/LICENSE" in wheel.namelist()
    scripts = wheel.read(f"{folder}/entry_points.txt").decode()
    assert "study-search = core.console:named" in scripts
    assert "core-train = core.console:named" in scripts


def test_the_source_distribution_can_build_the_same(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as opened:
        names = {name.split("/", 1)[1] for name in opened.getnames() if "/" in name}
    assert {"pyproject.toml", "LICENSE", "README.md", "search_spaces/demo.toml", "study/page/page.css"} <= names


def test_twine_finds_nothing_to_mend(built: Path) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_unpacked_wheel_runs_from_any_folder(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Its search spaces are found as package data, wherever the program is started."""
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    wheel.extractall(site)
    elsewhere.mkdir()
    code = "import study.shipped_spaces as s; print(s.__file__, s.space_names())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=elsewhere, capture_output=True, text=True, check=False,
        env={"PATH": "", "PYTHONPATH": str(site)},
    )  # fmt: skip
    assert done.stdout.startswith(str(site)), done.stderr
    for space in (ROOT / "search_spaces").glob("*.toml"):
        assert f"'{space.stem}'" in done.stdout
