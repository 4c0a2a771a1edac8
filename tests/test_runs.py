"""Where studies are looked for: here, in the home folder for a Ray job, or where --runs says."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.best import _NEEDED, FORMAT, find_best
from core.command import application
from core.errors import BadStudy
from core.runs import default_runs
from core.train import main as train
from study.report import main as report


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    """One finished study, in a folder that is nobody's default."""
    folder = tmp_path / "shared" / "mine"
    folder.mkdir(parents=True)
    (folder / "best.json").write_text(json.dumps(dict.fromkeys(_NEEDED) | {"format": FORMAT, "study": "mine"}))
    return folder.parent


@pytest.mark.parametrize(
    ("content", "told"),
    [("[]", "has format None, expected 1"), ('{"format": 1}', "lacks 'study'"), ("{", "not JSON")],
)
def test_a_damaged_best_is_told_in_a_sentence(content: str, told: str, studies: Path) -> None:
    (studies / "mine" / "best.json").write_text(content)
    with pytest.raises(BadStudy, match=rf"mine/best\.json: {told}"):
        find_best("mine", studies)


def test_a_job_keeps_studies_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tmp_path / "working_dir_files" / "_ray_pkg_1"
    job.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert default_runs() == Path("runs")
    monkeypatch.chdir(job)
    assert default_runs() == tmp_path / "home" / "runs"


def test_the_winner_is_found_where_runs_says(studies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_best("mine", studies).folder == studies / "mine"
    assert find_best(None, studies).folder == studies / "mine"
    with pytest.raises(BadStudy, match=r"runs: study 'mine' has no best\.json; .* --runs FOLDER looks elsewhere"):
        find_best("mine")


@pytest.mark.parametrize(("program", "words"), [(train, ["--best"]), (report, [])])
def test_programs_look_where_runs_says(
    program: Callable[..., None], words: list[str], studies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(application(program, completes=False), [*words, "yours", "--runs", str(studies)])
    assert isinstance(done.exception, BadStudy)
    assert str(done.exception).startswith(f"{studies}: study 'yours'")
