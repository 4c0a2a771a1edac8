"""The numbers of every figure, on studies of every fate; that each can be drawn; that no text can carry markup."""

from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import plotly.graph_objects as go
import pytest
from stored_studies import BUDGET, CUT, FAIL, FULL, HOSTILE, MIXED, SEEDS, Stored, optimised, replicate

from core.config import Config
from core.heat import heat_of
from core.panels import Looked, Panels
from core.synthesis import Synthesis
from study.figures.convergence import Convergence, convergence_info, draw_convergence
from study.figures.detectors import detectors_info, draw_curves, draw_intervals, on_log_axis
from study.figures.families import draw_families, families_info
from study.figures.galleries import draw_example, draw_trained, examples_info, trained_info
from study.figures.history import draw_history, history_info
from study.figures.importance import LEAST, draw_importance, importance_info
from study.figures.learning import draw_learning, learning_info
from study.figures.methods import method_sheets
from study.figures.parallel import draw_parallel, parallel_info
from study.figures.pictures import SIDE, panel
from study.figures.replicated import draw_differences, draw_replicates, replicates_info
from study.figures.rungs import draw_rungs, rungs_info
from study.figures.style import look_of
from study.page.replicated import _differences
from study.records import TrialRecord, best_first, read_study, records_of

Make = Callable[..., tuple[TrialRecord, ...]]


def drawings(trials: tuple[TrialRecord, ...]) -> list[go.Figure]:
    drawn = [
        draw_history(history_info(trials), "objective"),
        draw_learning(learning_info(trials, BUDGET, best=2), "objective"),
        draw_rungs(rungs_info(trials, 1, 3, BUDGET), "objective"),
        draw_parallel(parallel_info(trials, "objective", best=2)),
    ]
    shown = [info for info in (importance_info(trials), importance_info(trials, 1)) if info.shares]
    return [*drawn, draw_importance(shown)] if shown else drawn


@pytest.mark.parametrize(
    "ends",
    [[], [(FULL, 4)], [(CUT, 1)], [(FAIL, 0)] * 3, [(FULL, 4)] * 2, MIXED],
    ids=lambda ends: f"{len(ends)} trials",
)
def test_every_fate_of_a_study_can_be_drawn(trials_of: Make, ends: list[Any]) -> None:
    for figure in drawings(trials_of(ends)):
        assert figure.to_json()


def test_the_history_follows_full_budget_trials_and_lists_failures(trials_of: Make) -> None:
    info = history_info(trials_of(MIXED))
    assert [(point.number, point.full) for point in info.points] == [
        (0, True), (1, False), (2, True), (3, False), (5, False), (6, True), (8, False),
    ]  # fmt: skip
    assert info.best == ((0, 0.4), (2, pytest.approx(0.42)), (6, pytest.approx(0.46)))
    assert info.failed == ((4, "out of memory"), (7, "out of memory"))
    assert info.paper is not None
    assert info.paper.number == 0
    assert history_info(()) == ((), (), (), None)


def test_a_curve_knows_where_it_was_stopped(trials_of: Make) -> None:
    curves = learning_info(trials_of(MIXED), BUDGET).curves
    assert [(curve.number, curve.stopped, curve.points[-1][0]) for curve in curves] == [
        (0, False, 4), (1, True, 1), (2, False, 4), (3, True, 3), (4, False, 1), (5, True, 1), (6, False, 4),
        (8, False, 2),
    ]  # fmt: skip


def test_rungs_hold_who_came_who_was_stopped_and_the_cutoff(trials_of: Make) -> None:
    first, second = rungs_info(trials_of(MIXED), grace=1, reduction=3, budget=BUDGET)
    assert (first.epoch, len(first.members), first.stopped) == (1, 8, 2)
    assert first.cutoff == pytest.approx(0.1 + 0.06)  # second best of eight: one in three, rounded down
    assert (second.epoch, len(second.members), second.stopped) == (3, 4, 1)
    assert rungs_info(trials_of(MIXED), 1, 1, BUDGET) == ()
    assert rungs_info(trials_of(MIXED), 4, 3, BUDGET) == ()


def test_importance_uses_full_budget_trials_or_all_at_the_first_rung(trials_of: Make) -> None:
    few = importance_info(trials_of(MIXED))
    assert (few.trials, few.shares) == (3, ())
    assert "too few" in few.doubt
    rung = importance_info(trials_of(MIXED), epoch=1)
    assert (rung.trials, rung.about) == (8, "first rung, epoch 1")
    assert sum(share for _, share in rung.shares) == pytest.approx(1)
    assert {name for name, _ in rung.shares} == {
        "synthesis.mask.kind", "synthesis.mask.max_radius", "synthesis.mix.noise.std", "loss.alpha",
    }  # fmt: skip
    assert "a hint" in rung.doubt
    assert importance_info(trials_of([(FULL, 4)] * (LEAST - 1))).shares == ()


def test_importance_finds_the_parameter_that_decides() -> None:
    found = optimised(lambda t: t.suggest_float("loud", 0, 1) + 0 * t.suggest_float("mute", 0, 1), 60, seed=1)
    info = importance_info(found)
    assert info.shares[0][0] == "loud"
    assert info.shares[0][1] > 0.8
    assert info.doubt == ""


def test_a_parameter_that_is_not_searched_has_no_place(trials_of: Make) -> None:
    info = parallel_info(trials_of(MIXED), "objective")
    names = [axis.name for axis in info.axes]
    assert names[0] == "synthesis.mask.kind"
    assert names[-1] == "objective"
    radius = names.index("synthesis.mask.max_radius")
    for line in info.lines:
        assert (line.places[radius] is None) == (line.shape == "brush")
        assert all(place is None or 0 <= place <= 1 for place in line.places)
        assert line.words[0] == line.shape
    noise = info.axes[names.index("synthesis.mix.noise.std")]
    assert noise.log
    assert noise.ticks == ((0.0, "0.1"), (0.5, "0.32"), (1.0, "1"))
    assert min(line.places[-1] for line in info.lines) == 0
    assert max(line.places[-1] for line in info.lines) == 1


def test_replicates_are_compared_seed_by_seed() -> None:
    study = optuna.create_study(direction="maximize")
    replicate(study, {7: Config(), 2: Config()})
    info = replicates_info(records_of(study))
    assert [one.trial for one in info.configurations] == [7, 2]
    assert info.configurations[0].values == pytest.approx({1000: 0.5, 1001: 0.51, 1002: 0.52})
    assert info.differences[0].values == pytest.approx({1000: 0.1, 1001: 0.09, 1002: 0.08})
    assert info.differences[0].interval.estimate == pytest.approx(0.09)
    assert draw_replicates(info, "objective").to_json()
    assert draw_differences(info, "objective").to_json()
    assert replicates_info(()) == ((), (), 0)


def test_one_seed_so_far_has_no_interval() -> None:
    study = optuna.create_study(direction="maximize")
    replicate(study, {7: Config(), 2: Config()}, seeds=SEEDS[:1])
    study.enqueue_trial({"trial": 7, "seed": 1001})
    info = replicates_info(records_of(study))
    assert [one.interval for one in info.configurations] == [None, None]
    assert info.differences == ()
    assert info.unfinished == 1
    assert draw_replicates(info, "objective").to_json()


def test_detectors_are_read_from_what_core_train_writes(finished_once: Stored) -> None:
    info = detectors_info(read_study(finished_once.folder).evaluation)
    winner, control, floor = info.detectors
    assert (winner.label, control.label, floor.label) == ("winner", "square", "floor: position")
    assert (winner.shape, control.shape, floor.shape) == ("brush", "square", "")
    assert winner.estimates["pixel.average_precision"].estimate > control.estimates["pixel.average_precision"].estimate
    assert winner.gain is None
    assert control.gain is not None
    assert control.gain.low > 0
    assert len(winner.dice) == len(SEEDS)
    assert info.prevalence == pytest.approx(56 / 1024 / 2)
    assert draw_curves(info).to_json()
    assert draw_intervals(info, {"pixel.average_precision": "AP", "gain": "lead"}).to_json()
    assert detectors_info(None).detectors == ()


def test_families_are_ordered_by_the_first_series() -> None:
    runs = [{"family.a.average_precision": 0.5, "family.b.average_precision": 0.1, "family.a.auroc": 0.9}] * 2
    info = families_info([("winner", "brush", runs), ("floor", "", [{"family.c.average_precision": 0.3}])])
    assert info.families == ("c", "b", "a")
    assert info.series[0].values == {"a": (0.5, 0.5), "b": (0.1, 0.1)}
    assert draw_families(info).to_json()
    assert families_info([]).families == ()


def test_the_gallery_shows_what_was_trained_on(finished_once: Stored) -> None:
    table = finished_once.train
    pairs = trained_info(Config(), table, (table.subjects[0],), seed=1000, count=5)
    assert len(pairs) == 5
    for pair in pairs:
        assert pair.subject != table.subjects[0]
        at = (table.subject == pair.subject) & (table.slice_index == pair.slice_index)
        row = int(np.flatnonzero(at)[0])
        image = table.images([row])[0] / np.float32(255)
        _, drawn = Config().synthesis.pseudo_outlier(image, 1000, 1, row)
        np.testing.assert_array_equal(pair.drawn, drawn.image)
        np.testing.assert_array_equal(pair.label, drawn.label)
        assert draw_trained(pair).startswith("data:image/webp;base64,")
    assert trained_info(Config(), table, table.subjects, seed=0) == ()


def test_slices_left_healthy_are_not_in_the_gallery(finished_once: Stored) -> None:
    seldom = Config(synthesis=Synthesis(probability=0.3))
    pairs = trained_info(seldom, finished_once.train, (), seed=1000, count=2)
    assert pairs
    assert all(pair.label.any() for pair in pairs)


def test_examples_share_one_scale_of_heat(finished_once: Stored) -> None:
    examples = examples_info(finished_once.folder.retrained / "examples.npz")
    assert {example.label for example in examples} == {"bright", "dark", "healthy"}
    assert [example.healthy for example in examples] == [example.label == "healthy" for example in examples]
    heat = np.stack([example.heat for example in examples])
    assert heat.min() == 0
    assert heat.max() == 1
    assert draw_example(examples[0]).startswith("data:image/webp;base64,")
    assert examples_info(finished_once.folder.retrained / "nothing.npz") == ()


def test_a_panel_keeps_the_slice_where_nothing_is_suspected() -> None:
    image = np.full((8, 8), 100, np.uint8)
    clear = panel(image, heat=np.zeros((8, 8), np.float32))
    assert clear.shape == (SIDE, SIDE, 3)
    assert (clear == 100).all()
    assert (panel(image, heat=np.ones((8, 8), np.float32)) != 100).any()
    assert (panel(image, contour=np.zeros((8, 8), np.uint8)) == 100).all()


def test_the_best_trials_reached_the_full_budget(trials_of: Make) -> None:
    assert [trial.number for trial in best_first(trials_of(MIXED))] == [6, 2, 0, 3, 8, 5, 4, 1]


def test_text_from_outside_carries_no_markup(trials_of: Make) -> None:
    outside = optimised(
        lambda t: t.suggest_float(HOSTILE, 0, 1) + len(t.suggest_categorical("kind", [HOSTILE, "b"])), 12, 0
    )
    figures = [*drawings(trials_of(MIXED, HOSTILE)), *drawings(outside)]
    figures.append(draw_families(families_info([(HOSTILE, HOSTILE, [{f"family.{HOSTILE}.average_precision": 0.5}])])))
    for figure in figures:
        assert "<script" not in str(figure.to_dict())


def test_a_lead_is_clear_over_every_configuration_or_not_at_all() -> None:
    def replicated(trial: int, *values: float) -> list[TrialRecord]:
        pairs = enumerate(values)
        return [TrialRecord(0, FULL, {"trial": trial, "seed": seed}, {}, {1: value}) for seed, value in pairs]

    best, second = replicated(4, 0.520, 0.521, 0.519), replicated(2, 0.500, 0.502, 0.498)
    words = _differences(replicates_info([*best, *second]), "objective")
    assert "lies above 0 for every other configuration: the lead is clear" in words
    words = _differences(replicates_info([*best, *second, *replicated(7, 0.30, 0.65, 0.54)]), "objective")
    assert "includes 0 for trial 7: these seeds do not tell trial 4 from it" in words


def test_a_curve_has_no_zeros_on_a_log_axis_and_keeps_its_straight_lines() -> None:
    x, y = on_log_axis([0.0, 1.0], [0.0, 1.0])  # one score for all: guessing
    assert x == pytest.approx(y)
    assert (x[0], x[-1]) == (pytest.approx(1e-4), 1)
    assert np.all(np.diff(x) >= 0)
    x, y = on_log_axis([0.0, 0.0, 0.01, 0.01, 1.0], [0.0, 0.2, 0.3, 0.5, 1.0])
    at = dict(zip(x, y, strict=True))
    assert min(x) > 0
    assert y[0] == pytest.approx(0.2 + 0.1 * 1e-4 / 0.01)  # it begins at 0.2, not at the first point to the right
    assert [recall for rate, recall in zip(x, y, strict=True) if rate == 0.01][:2] == [0.3, 0.5]
    assert at[1.0] == 1
    assert on_log_axis([], []) == ([], [])


def test_every_shape_has_its_own_look() -> None:
    looks = {look_of(shape) for shape in ("brush", "circle", "square", "")}
    assert len({look.colour for look in looks}) == 4
    assert len({look.symbol for look in looks}) == 4
    assert look_of("some other").colour not in {look.colour for look in looks}


def test_convergence_is_the_mean_and_range_over_seeds_and_says_what_still_rises(trials_of: Make) -> None:
    first, second = trials_of([(FULL, 4)] * 2)
    (arm,) = convergence_info({"a": [first, second]})
    assert [point[0] for point in arm.points] == [1, 2, 3, 4]
    assert arm.points[0][1:] == pytest.approx((0.105, 0.1, 0.11))
    assert arm.still_rising
    flat = Convergence("b", "brush", tuple((epoch, 0.3, 0.2, 0.4) for epoch in range(1, 9)))
    assert not flat.still_rising
    assert not Convergence("c", "brush", ()).still_rising
    drawn = draw_convergence([arm, flat._replace(name=HOSTILE)], "objective")
    assert "<script>" not in drawn.to_json()
    assert len(drawn.data) == 4


def test_the_heat_of_a_method_has_a_scale_of_its_own() -> None:
    maps = np.linspace(-8, 8, 2 * 32 * 32).reshape(2, 32, 32).astype(np.float16)
    heat = heat_of(maps)
    assert heat[0].max() == 0
    assert heat.max() == 1
    assert np.abs(heat_of(maps * np.float16(0.5)) - heat).max() < 0.01
    image = np.full((2, 32, 32), 100, np.uint8)
    panels = Panels(image, image, np.array(["a", "b"]), {"m": Looked(maps), "n": Looked(maps, image, image)})
    one, other = method_sheets(panels)
    assert one.rows == ("map",)
    assert other.rows == ("map", "reconstruction", "slices of its own")
    assert all(sheet.picture.startswith("data:image/webp;base64,") for sheet in (one, other))
