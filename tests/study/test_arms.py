"""Ablations load, differ in what they say alone, and every mistake is told with its file and dotted path."""

from pathlib import Path

import optuna
import pytest

from core.config import differences
from core.errors import BadConfig
from core.families import FAMILIES
from study.arms import parse_ablation
from study.reading import parse_space, read_space

TWO = '[arms]\na = {"loss.alpha" = 0.0}\n'
FACTORS = ["alpha", "edges", "shapes", "transforms"]
SHIPPED = [*FACTORS, "baselines"]


def test_all_shipped_ablations_are_tested() -> None:
    folder = Path(__file__).parents[2] / "search_spaces"
    assert sorted(path.stem for path in folder.glob("*.toml") if "[arms" in path.read_text()) == sorted(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_ablations_open_with_their_question_and_replicate_enough(name: str) -> None:
    _, text = read_space(name)
    ablation, _ = parse_ablation(text, {}, f"{name}.toml")
    assert ablation.study.seeds >= 5
    assert all(word in text for word in ("# Question:", "# Expect:", "# Cost:", "# Command:"))
    assert f"{len(ablation.arms) * ablation.study.seeds} trainings of {ablation.epochs} epochs" in text


@pytest.mark.parametrize("name", FACTORS)
def test_arms_differ_in_one_thing(name: str) -> None:
    ablation, _ = parse_ablation(read_space(name)[1], {}, name)
    changed = {
        path.split(".weight")[0].rsplit(".", 1)[0] if "weight" in path else path.split(".kind")[0]
        for arm in ablation.arms
        for path in differences(ablation.config(arm))
        if "mask." not in path or path.endswith("kind")
    }
    assert len(changed) == 1


def test_every_method_searches_the_same_number_of_trials_and_of_settings() -> None:
    ablation, text = parse_ablation(read_space("baselines")[1], {"fixed.training.epochs": 3}, "baselines")
    spaces = {name: ablation.space(name) for name in ablation.arms}
    assert {len(space.space) for space in spaces.values()} == {4}
    assert {space.base().training.epochs for space in spaces.values()} == {3}
    assert f"{len(spaces) * spaces['segmenter'].study.trials} trials of search" in text
    assert set(ablation.trained()) == {"noise", "shift", "scale", "foreign", "poisson", "coarse", "erase"}
    held_out = [name for name, family in FAMILIES.items() if not set(family.like) & set(ablation.trained())]
    assert held_out == ["ellipse-blur", "ellipse-swell"]


def test_no_arm_is_judged_by_what_another_trains_on() -> None:
    text = TWO + 'b = {"synthesis.mix.blur.weight" = 1.0}\n'
    assert parse_ablation(text, {}, "mine")[0].trained() == ("noise", "shift", "scale", "blur")


def test_an_arm_may_have_a_preset_and_a_search_of_its_own() -> None:
    text = (
        "[study]\ntrials = 4\n"
        + TWO
        + '[arms.b]\npreset = "robust"\n[arms.b.space]\n"loss.alpha" = {low=0.0, high=1.0}'
    )
    ablation, _ = parse_ablation(text, {"study.seeds": 7, "fixed.training.epochs": 3}, "mine")
    assert len(ablation.seeds) == 7
    assert ablation.epochs == 3
    assert ablation.config("b").score == "foreground_top"
    assert ablation.space("b").study.trials == 4
    assert ablation.space("b").study.reduction == 1
    assert list(ablation.space("b").space) == ["loss.alpha"]


def test_the_field_decides_whether_a_range_of_an_arm_is_whole() -> None:
    text = "[study]\ntrials = 4\n" + TWO + '[arms.b.space]\n"loss.alpha" = {low=0, high=1}'
    ablation, _ = parse_ablation(text, {}, "mine")
    assert ablation.space("b").values_of(ablation.config("b")) == {"loss.alpha": 0.5}
    drawn = ablation.space("b").suggest(optuna.trial.FixedTrial({"loss.alpha": 0.25}))
    assert drawn == {"loss.alpha": 0.25}


def test_settings_reach_a_single_arm() -> None:
    text = TWO + 'b = {"loss.alpha" = 1.0}'
    ablation, changed = parse_ablation(text, {"arms.b.detector.base": 4}, "mine.toml")
    assert [ablation.config(name).detector.base for name in "ab"] == [32, 4]
    assert "# --set arms.b.detector.base = 4" in changed
    with pytest.raises(BadConfig, match=r"--set arms.c.detector.base=4: .*, or under arms.a, arms.b"):
        parse_ablation(text, {"arms.c.detector.base": 4}, "mine.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[arms]\n", r"arms: expected two or more tables \[arms.NAME\]"),
        (TWO, r"arms: expected two or more"),
        (TWO + "b = 3\n", r"arms: expected two or more"),
        (TWO + 'b = {"loss.alhpa" = 0.5}', r"arms.b: .*loss.alhpa = 0.5.*did you mean loss.alpha"),
        (TWO + 'b = {"loss.alpha" = 2.0}', r"arms.b: .*loss.alpha = 2.0.*less than or equal to 1"),
        (TWO + 'b = {"loss.alpha" = 0.0}', r"arms.b: is the same as arms.a"),
        (TWO + 'b = {preset = "pater"}', r"arms.b.preset = 'pater': expected one of paper"),
        (TWO + 'b = {"training.epochs" = 4}', r"training.epochs differ \(a 10, b 4\): expected the same budget"),
        (TWO + '[arms.b.space]\n"loss.alpha" = {low=0.0, high=1.0}', r"arms.b.space: expected study.trials"),
        ("[study]\nseeds = 2\n" + TWO + 'b = {"loss.alpha" = 1.0}', r"study.seeds = 2: .*greater than or equal to 3"),
        (TWO + 'b = {"loss.alpha" = inf}', r"arms.b.loss.alpha = inf: Input should be a finite number"),
        (TWO + 'b = {"loss.alpha" = }', r"not TOML"),
    ],
)
def test_a_mistake_is_one_sentence(text: str, told: str) -> None:
    with pytest.raises(BadConfig, match=told) as caught:
        parse_ablation(text, {}, "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    assert "\n" not in str(caught.value)


def test_each_program_names_the_other() -> None:
    with pytest.raises(BadConfig, match=r"it is an ablation; use it with python -m study.ablation"):
        parse_space(TWO, "mine.toml")
    with pytest.raises(BadConfig, match=r"a search space belongs to study.search"):
        parse_ablation("[study]\ntrials = 1\n[space]\n", {}, "mine.toml")
