"""--dry-run tells what a study would do, and does nothing: no Ray, no file."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
from stored_studies import BUDGET, Stored

from core.console import run
from core.slices.table import SliceTable
from study.arms import parse_ablation
from study.expecting import hours, recorded
from study.planning import halved, plan_of_ablation, plan_of_search
from study.reading import parse_space, read_space
from study.records import read_study

TINY = """
[study]
trials = 9
grace = 1
reduction = 3
top = 2
[fixed]
"detector.base" = 2
"detector.depth" = 2
"training.epochs" = 4
"training.batch" = 8
[space]
"synthesis.mask.kind" = { choices = ["brush", "circle"] }
"synthesis.mask.max_radius" = { low = 8.0, high = 24.0, when = { "synthesis.mask.kind" = ["circle"] } }
"synthesis.mix.noise.std" = { low = 0.1, high = 1.0, log = true }
"synthesis.mask.min_points" = { low = 1, high = 3, when = { "synthesis.mask.kind" = ["brush"] } }
[controls.circle]
"synthesis.mask.kind" = "circle"
"""


def test_a_plan_tells_ranges_conditions_and_departures() -> None:
    plan = plan_of_search(parse_space(TINY, "tiny.toml"), None)
    lines = {line.name: line for line in plan.lines}
    assert lines["synthesis.mix.noise.std"].values == "0.1 to 1, log"
    assert lines["synthesis.mask.min_points"].values == "1 to 3, whole"
    assert lines["synthesis.mask.kind"].values == "brush, circle"
    assert lines["synthesis.mask.kind"].base == "brush"
    assert lines["synthesis.mask.max_radius"].base == ""
    assert not plan.base_first  # its min_points lie outside
    wider = plan_of_search(parse_space(TINY.replace("high = 3,", "high = 30,"), "tiny.toml"), None)
    assert wider.base_first
    # The preset's own choice is replicated as well, if it is not among the best two.
    assert (wider.parts[1].trainings, wider.parts[1].least, wider.parts[1].most) == (9, 24, 36)
    assert lines["synthesis.mask.max_radius"].when == "synthesis.mask.kind is circle"
    assert plan.departures == {"detector.base": 2, "detector.depth": 2, "training.epochs": 4, "training.batch": 8}
    assert plan.rungs == (1, 3)
    assert plan.seeds == (1000, 1001, 1002)
    assert plan.controls == ("circle",)
    search, replicates = plan.parts
    # Nine trials train one epoch, three of them two more, one the last.
    assert (search.trainings, search.least, search.most) == (9, 9 + 3 * 2 + 1, 36)
    assert (replicates.trainings, replicates.least, replicates.most) == (6, 24, 24)


def test_early_stopping_that_stops_nobody_saves_nothing() -> None:
    assert halved(5, 10, (), 1) == 50
    assert halved(1, 10, (1, 3, 9), 3) == 10


def test_more_trials_than_the_space_says_are_planned() -> None:
    assert plan_of_search(parse_space(TINY, "tiny.toml"), 90).parts[0].trainings == 90


def test_the_families_that_judge_depend_on_what_is_trained() -> None:
    blurring = TINY.replace("[space]", '[space]\n"synthesis.mix.blur.weight" = { low = 0.0, high = 1.0 }')
    usual, other = (plan_of_search(parse_space(text, "tiny.toml"), None).families for text in (TINY, blurring))
    assert set(usual) - set(other) == {"ellipse-blur"}


def test_an_ablation_plans_every_arm_and_its_search() -> None:
    _, text = read_space("baselines")
    ablation, _ = parse_ablation(text, {}, "baselines")
    plan = plan_of_ablation(ablation)
    assert sum(part.trainings for part in plan.parts) == 10 * 20 + 10 * 5
    assert {part.name for part in plan.parts} >= {"search-fpi", "fpi"}
    assert all(part.least == part.most == part.trainings * part.epochs for part in plan.parts)
    assert plan.arms["fpi"] == {"preset": "fpi"}
    assert "arms.vae.detector.beta" in {line.name for line in plan.lines}


def test_hours_follow_from_the_seconds_of_an_epoch() -> None:
    parts = plan_of_search(parse_space(TINY, "tiny.toml"), None).parts
    search, replicates = hours(parts, {"search": 36.0, "replicates": 72.0})
    assert (search.least, search.most) == (pytest.approx(0.16), pytest.approx(0.36))
    assert replicates.most == pytest.approx(24 * 72 / 3600)


def test_recorded_epochs_count_training_and_scoring(finished: Stored) -> None:
    assert recorded(read_study(finished.folder).trials) == pytest.approx(2.5)
    assert recorded(()) is None


def _ran(monkeypatch: pytest.MonkeyPatch, program: str, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", [f"{program}.py", *words])
    with pytest.raises(SystemExit) as end:
        run(import_module(program).main)
    return int(str(end.value.code))


def _files(root: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def test_a_new_study_is_measured_and_nothing_is_written(
    healthy: SliceTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(TINY)
    before = _files(tmp_path)
    assert _ran(monkeypatch, "study.search", "--space", "tiny.toml", "--train", str(healthy.path), "--dry-run") == 0
    said = capsys.readouterr().out
    assert _files(tmp_path) == before
    for words in (
        "after epoch 1, 3: one trial in 3 goes on", "9 trainings of 4 epochs", "0.1 to 1, log", "brush, circle",
        "synthesis.mask.kind is circle", "detector.base = 2", "1000, 1001, 1002", "runs/tiny, which would be made",
        "runs/tiny/journal.log", "ellipse-blur", "trained here now, on 1 thread", "s an epoch", "nothing was started",
        "built from the training table", str(healthy.path),
    ):  # fmt: skip
        assert words in said, (words, said)


def test_a_begun_study_is_told_from_what_it_recorded(
    finished: Stored, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(finished.folder.root.parents[1])
    Path("small.toml").write_text(TINY)
    assert _ran(monkeypatch, "study.search", "--space", "small.toml", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "from the epochs that this study has recorded" in said
    assert "has begun: it goes on" in said
    assert f"trainings of {BUDGET} epochs" in said


def test_without_tables_the_hours_are_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _ran(monkeypatch, "study.ablation", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "not known before the demo's brains are there" in said
    assert "arm brush" in said
    assert not list(tmp_path.iterdir())
