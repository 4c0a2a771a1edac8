"""Where studies are looked for: here, in the home folder for a Ray job, or where --runs says."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.best import _NEEDED, FORMAT, Best, find_best
from core.command import application
from core.config import Config, override, to_dict
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
    with pytest.raises(BadStudy, match=r"nowhere: there is no best\.json; finished studies: none; python -m study"):
        find_best(None, tmp_path / "nowhere")
    with pytest.raises(BadStudy, match=r"runs: study 'mine' has no best\.json; .* --runs FOLDER looks elsewhere"):
        find_best("mine")


def test_the_newest_study_is_found_where_none_is_named(studies: Path) -> None:
    other = studies / "another"
    other.mkdir()
    (other / "best.json").write_bytes((studies / "mine" / "best.json").read_bytes())
    for newest, older in ((other, studies / "mine"), (studies / "mine", other)):
        for folder, time in ((older, 1_000), (newest, 2_000)):
            os.utime(folder / "best.json", (time, time))
        assert find_best(None, studies).folder == newest


def test_a_control_that_is_the_winner_is_not_trained_twice(tmp_path: Path) -> None:
    winner, circle = Config(), override(Config(), {"synthesis.mask.kind": "circle"}, "test")
    data = {"config": to_dict(winner), "controls": {"brush": to_dict(winner), "circle": to_dict(circle)}}
    assert Best(tmp_path, data).configs == {"winner": winner, "circle": circle}


def test_the_studys_own_trainings_are_taken_over_under_their_name_and_seed(tmp_path: Path) -> None:
    data = {
        "checkpoints": {"7": "replicates/00000", "8": "replicates/gone"},
        "control_checkpoints": {"circle": {"7": "replicates/00001"}},
    }
    best = Best(tmp_path / "study", data)
    for number in range(2):
        (best.folder / "replicates" / f"0000{number}").mkdir(parents=True)
        (best.folder / "replicates" / f"0000{number}" / "epoch").write_text(str(number))
    theirs = {("winner", 7): "0", ("circle", 7): "1", ("winner", 8): "", ("winner", 9): "", ("other", 7): ""}
    for (name, seed), held in theirs.items():
        folder = tmp_path / f"{name}-{seed}"
        assert best.take_over(name, seed, folder) == bool(held)
        assert folder.exists() == bool(held)
        if held:
            assert (folder / "epoch").read_text() == held
            (folder / "epoch").write_text("further")
            assert best.take_over(name, seed, folder)
            assert (folder / "epoch").read_text() == "further"  # what was gone on with is kept


def test_a_table_that_the_study_was_not_given_is_told_by_its_flag(tmp_path: Path) -> None:
    with pytest.raises(BadStudy, match=r"mine: the study names no test table; run it with --test TABLE"):
        Best(tmp_path / "mine", {"tables": {"test": None}}).table("test")


@pytest.mark.parametrize(("program", "words"), [(train, ["--best"]), (report, [])])
def test_programs_look_where_runs_says(
    program: Callable[..., None], words: list[str], studies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(application(program, completes=False), [*words, "yours", "--runs", str(studies)])
    assert isinstance(done.exception, BadStudy)
    assert str(done.exception).startswith(f"{studies}: study 'yours'")
