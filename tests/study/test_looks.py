"""That what a figure tells apart can be told apart: by colour, symbol and dash, on white and on black."""

from collections.abc import Callable
from typing import Any

import pytest
from stored_studies import CUT, FAIL, FULL, LIVE, MIXED, Stored

from core.results import POSTPROCESSED
from study.figures.arms import arms_info, draw_gaps
from study.figures.calibration import calibration_info
from study.figures.convergence import convergence_info, draw_convergence
from study.figures.detectors import detectors_info, draw_curves
from study.figures.epochs import draw_epochs, epochs_info
from study.figures.history import draw_history, history_info
from study.figures.parallel import draw_parallel, parallel_info
from study.figures.slices import draw_slices, slices_info
from study.figures.style import series_looks
from study.records import TrialRecord, read_study

Make = Callable[..., tuple[TrialRecord, ...]]
FLOOR = {
    f"floor: {name}": "" for name in ("intensity", "smoothed intensity", "deviation", "position", "tissue", "mean")
}


@pytest.mark.parametrize(
    "shapes",
    [
        {"winner": "brush", POSTPROCESSED: "brush", "circle": "circle", "paper": "brush"},
        {"winner": "brush", POSTPROCESSED: "brush"} | {f"arm {number}": "brush" for number in range(9)},
        {"trial 4": "circle", "trial 7": "circle", "trial 0": "circle"},
    ],
)
def test_no_two_series_look_alike(shapes: dict[str, str]) -> None:
    looks = series_looks(shapes | FLOOR)
    assert set(looks) == set(shapes) | set(FLOOR)
    trained = [looks[name] for name in shapes]
    assert len({(look.colour, look.symbol) for look in trained}) == len(trained)  # where only symbols are drawn
    assert len({(look.colour, look.dash) for look in trained}) == len(trained)  # where only lines are
    assert len({looks[name].dash for name in FLOOR}) == len(FLOOR)


def test_a_series_looks_the_same_where_some_are_left_out(finished_once: Stored) -> None:
    entries = read_study(finished_once.folder).evaluation["entries"]  # type: ignore[index]
    again = entries[0] | {"name": POSTPROCESSED, "kind": "postprocessed", "calibration": None}
    looks = {one.name: one.look for one in calibration_info([entries[0], again, *entries[1:]])}
    info = detectors_info({"entries": [entries[0], again, *entries[1:]]})
    drawn = {trace.name: trace.line for trace in draw_curves(info).data if trace.showlegend}
    assert {name: (look.colour, look.dash) for name, look in looks.items()} == {
        name: (drawn[name].color, drawn[name].dash) for name in looks
    }
    assert drawn[POSTPROCESSED].color == drawn["winner"].color


def test_an_arm_of_a_mask_shape_has_the_colour_of_that_shape(trials_of: Make) -> None:
    brush, circle = trials_of([(FULL, 4), (FULL, 4)])
    drawn = draw_convergence(convergence_info({"a": [circle], "b": [brush]}), "objective")
    named = {trace.name: trace.line.color for trace in drawn.data if trace.name}
    history = draw_history(history_info([brush, circle]), "objective")
    shapes = {trace.name: trace.marker.color for trace in history.data if trace.mode == "markers"}
    assert named == {"a": shapes["circle"], "b": shapes["brush"]}


def test_only_trials_that_were_stopped_are_called_so(trials_of: Make) -> None:
    trials = trials_of([(FULL, 4), (CUT, 1), (FAIL, 2), (LIVE, 2)])
    slices = {trace.name for trace in draw_slices(slices_info(trials), "objective").data}
    assert slices == {"brush", "circle, stopped early", "brush, failed", "circle, unfinished"}
    assert {trace.name for trace in draw_parallel(parallel_info(trials, "objective")).data} == slices
    history = {trace.name for trace in draw_history(history_info(trials), "objective").data}
    assert history == {"best so far, full budget", "brush", "circle, stopped early", "circle, unfinished", "failed"}


def test_numbers_on_pale_bars_have_the_ink_of_the_page(trials_of: Make) -> None:
    drawn = draw_epochs(epochs_info({"search": trials_of(MIXED)}, 4))
    ink = {note.text: note.font.color for note in drawn.layout.annotations}
    assert ink == {"12": "#ffffff", "5": None, "2": None, "7": None}  # the 1 that failed has no room


def test_arms_that_are_apart_are_told_without_colour() -> None:
    def arm(*values: float) -> dict[str, Any]:
        middle = sum(values) / len(values)
        return {"values": list(values), "interval": {"estimate": middle, "low": middle - 0.1, "high": middle + 0.1}}

    def pair(second: str, apart: bool) -> dict[str, Any]:
        return {"first": "a", "second": second, "difference": arm(0.1, 0.3)["interval"], "apart": apart}

    found = {
        "arms": {"a": arm(0.5, 0.6), "b": arm(0.4, 0.5), "c": arm(0.1, 0.2)},
        "pairs": [pair("b", False), pair("c", True)],
        "seeds": [1, 2],
    }
    drawn = draw_gaps(arms_info(found), "objective")
    means = {trace.text[0].split(",")[0]: trace.marker.symbol for trace in drawn.data if "mean" in trace.text[0]}
    assert means == {"a − b": "diamond-open", "a − c": "diamond"}
    assert all(trace.marker.symbol == "diamond-open" for trace in drawn.data if "seed" in trace.text[0])
