"""Search spaces: the shipped ones load, and every mistake is told with its file and dotted path."""

import math
from pathlib import Path

import optuna
import pytest

from core.config import Config
from core.errors import BadConfig
from study.reading import load_space, parse_space, with_settings

FOLDER = Path(__file__).parents[2] / "search_spaces"
ABLATIONS = sorted(path.stem for path in FOLDER.glob("*.toml") if "[arms" in path.read_text(encoding="utf-8"))
SHIPPED = sorted({path.stem for path in FOLDER.glob("*.toml")} - set(ABLATIONS))
HEAD = "[study]\ntrials = 3\n[space]\n"


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_spaces_load_and_open_with_their_question(name: str) -> None:
    _, space, text = load_space(name)
    assert space.space
    for word in ("# Question:", "# Cost:", "# Command:"):
        assert word in text


@pytest.mark.parametrize("name", SHIPPED)
def test_sampled_configurations_are_valid(name: str) -> None:
    _, space, _ = load_space(name)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        values = space.suggest(study.ask())
        assert all(space.active(path, values) for path in values)
        space.configure(values)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('"loss.alhpa" = { low = 0.0, high = 1.0 }', "loss.alhpa = 0.0.*did you mean loss.alpha"),
        ('"loss.alpha" = { low = 1.0, high = 0.0 }', "space.loss.alpha.*low = 1.0 must be below high = 0.0"),
        ('"loss.alpha" = { low = 0.0, high = 2.0 }', "loss.alpha = 2.0.*less than or equal to 1"),
        ('"loss.alpha" = { low = 0.0, hihg = 1.0 }', "space.loss.alpha.*hihg|space.loss.alpha.*high"),
        ('"loss.alpha" = { low = 0.0, high = 1.0, log = true }', "must be positive for a log range"),
        ('"synthesis.mask.kind" = { choices = ["brush", "cloud"] }', "synthesis.mask.*cloud"),
        ('"synthesis.mask.min_width" = { low = 2.0, high = 20.0 }', "min_width = 20.0 must not exceed max_width"),
        ('"loss.alpha" = { low = 0.0, high = 1.0, when = { "nothing" = [1] } }', "no such parameter in this space"),
        (
            '"synthesis.mask.max_radius" = { low = 8, high = 9, when = { "synthesis.mask.kind" = ["circle"] } }\n'
            '"synthesis.mask.kind" = { choices = ["brush", "circle"] }',
            "space.synthesis.mask.max_radius.when.*expected synthesis.mask.kind to stand before synthesis.mask.max_rad",
        ),
        (
            '"detector.depth" = { low = 2, high = 4 }\n'
            '"loss.alpha" = { low = 0, high = 1, when = { "detector.depth" = [2.5] } }',
            "detector.depth = 2.5: detector.depth never takes this value",
        ),
        (
            '"detector.depth" = { low = 2, high = 4 }\n'
            '"loss.alpha" = { low = 0, high = 1, when = { "detector.depth" = [] } }',
            r"space.loss.alpha.when.detector.depth = \[\]: expected the values",
        ),
        ('"loss.smooth" = { low = 1.0, high = inf }', "space.loss.smooth.high = inf: Input should be a finite number"),
        ('"training.epochs" = { low = 2, high = 4 }', "every trial has the same full budget"),
        ("= 3", "not TOML"),
        (
            '"loss.alpha" = { low = 0.0, high = 1.0 }\n[controls]\nx = "bse"',
            "controls.x = 'bse': expected a table, or \"base\"",
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_its_path(text: str, told: str) -> None:
    with pytest.raises(BadConfig, match=told) as caught:
        parse_space(HEAD + text, "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    assert "\n" not in str(caught.value)


def test_a_control_departs_from_the_winner_or_is_the_base() -> None:
    controls = '[controls]\nuntouched = "base"\ncircle = { "synthesis.mask.kind" = "circle" }'
    space = parse_space(HEAD + f'"loss.alpha" = {{ low = 0.0, high = 1.0 }}\n{controls}', "mine.toml")
    winner = space.configure({"loss.alpha": 0.25})
    assert space.control("untouched", winner) == space.base() != winner
    assert space.control("circle", winner).synthesis.mask.kind == "circle"
    assert space.control("circle", winner).loss.alpha == 0.25


def test_early_stopping_cannot_begin_after_the_last_epoch() -> None:
    text = '[study]\ntrials = 3\ngrace = {}\nreduction = {}\n[fixed]\n"training.epochs" = 4\n[space]\n'
    for grace, reduction in ((4, 3), (5, 1)):
        assert parse_space(text.format(grace, reduction), "mine.toml").study.grace == grace
    for reduction in (2, 3):
        with pytest.raises(BadConfig, match=r"study.grace = 5: expected at most training.epochs = 4"):
            parse_space(text.format(5, reduction), "mine.toml")


def test_a_range_holds_both_of_its_ends_and_nothing_beyond() -> None:
    space = parse_space(HEAD + '"loss.alpha" = { low = 0.25, high = 0.75 }', "mine.toml")
    held = [space.holds("loss.alpha", value) for value in (0.25, 0.5, 0.75, 0.2499, 0.7501, "0.5", None)]
    assert held == [True, True, True, False, False, False, False]


def test_pairs_of_ends_are_checked() -> None:
    text = HEAD + '"synthesis.mask.min_width" = {low=2.0, high=9.0}\n"synthesis.mask.max_width" = {low=8.0, high=20.0}'
    with pytest.raises(BadConfig, match=r"min_width = 9.0 must not exceed max_width = 8.0"):
        parse_space(text, "mine.toml")


def test_an_unknown_name_lists_those_that_exist() -> None:
    with pytest.raises(BadConfig, match=r"nonsense.*brush, demo"):
        load_space("nonsense")


def test_settings_change_the_space_and_its_text() -> None:
    text = HEAD + '"loss.alpha" = { low = 0.0, high = 1.0 }\n'
    space, changed = with_settings(text, {"fixed.training.epochs": 4, "study.trials": 7}, "mine.toml")
    assert (space.base().training.epochs, space.study.trials) == (4, 7)
    assert changed != text
    with pytest.raises(BadConfig, match=r"study.seed = 4294967296: Input should be less than or equal to 4294967295"):
        with_settings(text, {"study.seed": 2**32}, "mine.toml")
    with pytest.raises(BadConfig, match=r"--set training.epochs=4: expected a path under fixed or study"):
        with_settings(text, {"training.epochs": 4}, "mine.toml")
    with pytest.raises(BadConfig, match=r"toml: fixed.training.clip = inf: Input should be a finite number"):
        with_settings(text, {"fixed.training.clip": math.inf}, "mine.toml")
    with pytest.raises(
        BadConfig, match=r"toml: fixed.training.epochs = \[4\]: expected true or false, a number or a t"
    ):
        with_settings(text, {"fixed.training.epochs": [4]}, "mine.toml")  # type: ignore[dict-item]


def test_a_file_that_is_no_utf_8_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes("[study]\n# für uns\ntrials = 3\n".encode("latin-1"))
    with pytest.raises(BadConfig, match=r"mine.toml: byte 11 is no UTF-8; expected a TOML file"):
        load_space(str(path))


def test_choices_are_held_as_their_field_holds_them() -> None:
    """Of several kinds, a column of trials.parquet could not be written."""
    text = HEAD + '"training.batch" = { choices = ["8", 16.0, 32] }\n"loss.alpha" = { choices = [true, 0, 0.5] }\n'
    space = parse_space(text, "mine.toml")
    found = {name: parameter.ends() for name, parameter in space.space.items()}
    assert found == {"training.batch": (8, 16, 32), "loss.alpha": (1.0, 0.0, 0.5)}
    assert {name: {type(end) for end in ends} for name, ends in found.items()} == {
        "training.batch": {int},
        "loss.alpha": {float},
    }


def test_the_papers_choice_is_found_where_the_space_holds_it() -> None:
    space = parse_space(HEAD + '"loss.alpha" = { low = 0.0, high = 1.0 }', "mine.toml")
    assert space.values_of(Config()) == {"loss.alpha": 0.5}
    without = parse_space(HEAD + '"loss.alpha" = { low = 0.6, high = 1.0 }', "mine.toml")
    assert without.values_of(Config()) is None


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ('"loss.alpha" = { low = 0, high = 1 }', float, 0.5),
        ('"training.batch" = { low = 8.0, high = 16.0 }', int, 16),
        (
            '"synthesis.mask.max_radius" = { low = 8, high = 9, when = { "synthesis.mask.kind" = ["circle"] } }',
            float,
            8.5,
        ),
    ],
)
def test_the_field_decides_whether_a_range_is_whole(text: str, kind: type, value: float) -> None:
    both = '"synthesis.mask.kind" = { choices = ["brush", "circle"] }\n' + text
    space = parse_space(HEAD + both, "mine.toml")
    name = text.split('"')[1]
    assert space.holds(name, value)
    assert space.holds(name, 8.5) == (name == "synthesis.mask.max_radius")
    drawn = space.suggest(optuna.trial.FixedTrial({"synthesis.mask.kind": "circle", name: value}))
    assert (drawn[name], type(drawn[name])) == (value, kind)


def test_transforms_that_a_space_may_use_are_named() -> None:
    assert parse_space("[study]\ntrials = 1\n[space]\n", "s.toml").trained() == ("noise", "shift", "scale")
    text = """
[study]
trials = 1
[fixed]
"synthesis.mix.noise.weight" = 0.0
"synthesis.mix.coarse.weight" = 0.5
[space]
"synthesis.mix.blur.weight" = { low = 0.0, high = 1.0 }
"""
    assert parse_space(text, "s.toml").trained() == ("shift", "scale", "coarse", "blur")


def test_a_vae_trains_on_pseudo_outliers_only_with_a_context() -> None:
    text = 'preset = "{}"\n[study]\ntrials = 1\n[space]\n'
    assert parse_space(text.format("vae"), "s.toml").trained() == ()
    assert parse_space(text.format("ce-vae"), "s.toml").trained() == ("erase",)
    searched = text.format("vae") + '"detector.context_weight" = { low = 0.0, high = 0.5 }\n'
    assert parse_space(searched, "s.toml").trained() == ("noise", "shift", "scale")
