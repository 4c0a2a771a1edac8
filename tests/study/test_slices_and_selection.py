"""Slices and contour of the search, which trials are drawn where all would be too many, and what choosing one tells."""

from collections.abc import Callable
from dataclasses import replace

import optuna
import pytest
from stored_studies import CUT, FAIL, FULL, HOSTILE, MIXED, Stored, optimised

from study.figures.axes import axis_of, place_of
from study.figures.contour import contour_info, draw_contour
from study.figures.slices import draw_slices, slices_info
from study.figures.thinning import thinned
from study.page.trials import COLUMNS, trials_data
from study.records import TrialRecord, read_study

Make = Callable[..., tuple[TrialRecord, ...]]


def hilly(count: int) -> tuple[TrialRecord, ...]:
    """Trials of a study whose objective is high where `loud` is 0.5 and `rate` is 0.01, and deaf to `mute`."""

    def objective(trial: optuna.Trial) -> float:
        loud, rate = trial.suggest_float("loud", 0, 1), trial.suggest_float("rate", 1e-4, 1, log=True)
        trial.suggest_float("mute", 0, 1)
        trial.suggest_categorical("kind", ["a", "b"])
        return float(1 - (loud - 0.5) ** 2 - 0.05 * abs(place_of(trial.distributions["rate"], rate) - 0.5))  # type: ignore[operator]

    return optimised(objective, count, seed=3)


def test_a_slice_holds_every_trial_that_has_the_parameter(trials_of: Make) -> None:
    panels = {panel.axis.name: panel for panel in slices_info(trials_of(MIXED)).panels}
    assert next(iter(panels)) == "synthesis.mask.kind"
    assert [point.number for point in panels["synthesis.mask.max_radius"].points] == [1, 3, 5]
    assert panels["synthesis.mix.noise.std"].axis.log
    stopped = "stopped early"
    assert [point.end for point in panels["loss.alpha"].points] == [
        "", stopped, "", stopped, "failed", stopped, "", "unfinished",
    ]  # fmt: skip
    kinds = panels["synthesis.mask.kind"].points
    assert all(abs(point.place - (point.word == "circle")) <= 0.25 for point in kinds)
    figure = draw_slices(slices_info(trials_of(MIXED)), "objective")
    drawn = [number for trace in figure.data for number in trace.customdata]
    assert len(drawn) == sum(len(panel.points) for panel in panels.values())


def test_a_contour_shows_the_two_parameters_that_matter() -> None:
    info = contour_info(hilly(60), None)
    assert info.x is not None
    assert info.y is not None
    assert {info.x.name, info.y.name} == {"loud", "rate"}
    assert info.about == "full budget"
    assert len(info.points) == 60
    assert info.surface.shape == (48, 48)
    assert draw_contour(info, "objective").to_json()


@pytest.mark.parametrize("ends", [[], [(FAIL, 0)] * 3, [(FULL, 4)], [(CUT, 1)] * 4], ids=len)
def test_too_few_trials_make_no_contour(trials_of: Make, ends: list[tuple[optuna.trial.TrialState, int]]) -> None:
    info = contour_info(trials_of(ends), 1)
    assert info.x is None
    assert "too few" in info.lacking


def test_few_full_budgets_leave_the_contour_to_the_first_rung(trials_of: Make) -> None:
    info = contour_info(trials_of([(CUT, 1)] * 14 + [(FULL, 4)] * 2), 1)
    assert info.about == "first rung, epoch 1"
    assert [point.value for point in info.points] == pytest.approx([0.1 + 0.01 * p.number for p in info.points])


def test_an_axis_is_log_where_it_was_searched_so() -> None:
    kind = optuna.distributions.FloatDistribution(0.01, 1.0, log=True)
    assert place_of(kind, 0.1) == pytest.approx(0.5)
    assert axis_of("rate", kind).ticks == ((0.0, "0.01"), (0.5, "0.1"), (1.0, "1"))
    assert place_of(optuna.distributions.CategoricalDistribution(["a"]), "b") is None


def test_thinning_keeps_the_extremes() -> None:
    trials = hilly(500)
    some = {trial.number: trial for trial in thinned(trials, 60, keep=(123,))}
    assert 60 <= len(some) <= 70
    assert 123 in some
    values = [trial.value or 0.0 for trial in trials]
    assert {values.index(max(values)), values.index(min(values))} <= set(some)
    for name in ("loud", "rate", "mute"):
        found = [trial.params[name] for trial in trials]
        assert {found.index(max(found)), found.index(min(found))} <= set(some)
    assert list(some) == sorted(some)
    assert thinned(trials[:20], 60) == trials[:20]
    assert thinned(()) == ()


def test_choosing_a_trial_tells_its_whole_configuration(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    told = trials_data(record, 6)
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in told["trials"]]
    assert [row["number"] for row in rows] == list(range(9))
    assert told["order"] == [6, 2, 0, 3, 8, 5, 4, 1, 7]
    for row, trial in zip(rows, record.trials, strict=True):
        assert trial.config is not None
        whole = told["base"] | {told["names"][index]: value for index, value in row["settings"]}
        whole = {name: value for name, value in whole.items() if name not in [told["names"][i] for i in row["without"]]}
        assert whole["loss.alpha"] == trial.config["loss"]["alpha"]
        assert ("synthesis.mask.max_radius" in whole) == (trial.shape == "circle")
    assert (rows[4]["state"], rows[4]["reason"], rows[8]["state"]) == ("failed", HOSTILE, "unfinished")
    assert rows[0]["is_base"]
    assert [epoch for epoch, _ in rows[3]["curve"]] == [1, 2, 3]


def test_a_trial_without_a_configuration_is_told_as_far_as_it_is_known(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    bare = replace(record.trials[0], config=None)
    row = dict(zip(COLUMNS, trials_data(replace(record, trials=(bare,), space=None), None)["trials"][0], strict=True))
    assert not row["known"]
    assert row["without"] == []
