"""Contour: the objective over the two parameters that mattered most, between the trials that were tried.

Optuna's own picture of it is drawn by plotly from a sparse grid; here the values are interpolated linearly between
trials, on the scale on which a parameter was searched, and nothing is drawn where no trial was near.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import TrialState
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import QhullError

from study.figures.axes import Axis, axis_of, place_of, searched, word_of
from study.figures.importance import LEAST, SOLID, ImportanceInfo, importance_info
from study.figures.style import PALE, dress, number, plain
from study.records import TrialRecord

_GRID = 48  # places along each axis


class Met(NamedTuple):
    """A trial that has both parameters. x, y: 0..1 along the axes. words: what its hover text says of both."""

    number: int
    x: float
    y: float
    value: float
    words: tuple[str, str]


class ContourInfo(NamedTuple):
    """x, y: the axes, None where a contour cannot be drawn, and then `lacking` says why.

    about: which values are shown. surface: the objective over a grid (rows along y), NaN outside of the trials.
    """

    x: Axis | None
    y: Axis | None
    about: str
    points: tuple[Met, ...]
    surface: NDArray[np.float64]
    lacking: str


def contour_info(trials: Sequence[TrialRecord], first_rung: int | None) -> ContourInfo:
    """The two most important numeric parameters, by the values of the full budget, or of the first rung.

    The full budget is taken where it has enough trials; a contour of a handful would be an invention.
    """
    full = sum(trial.state == TrialState.COMPLETE for trial in trials)
    epoch = None if full >= SOLID else first_rung
    importance = importance_info(trials, epoch)
    kinds = searched(trials)
    order = [name for name, _ in importance.shares if not isinstance(kinds[name], CategoricalDistribution)]
    if len(order) < 2:
        return _nothing(importance, importance.doubt if not importance.shares else "fewer than two numeric parameters")
    for first, second in _pairs(order):
        points = _points(trials, epoch, (first, kinds[first]), (second, kinds[second]))
        if len(points) >= LEAST:
            surface = _surface(points)
            if surface is not None:
                axes = axis_of(first, kinds[first]), axis_of(second, kinds[second])
                return ContourInfo(*axes, importance.about, points, surface, "")
    return _nothing(importance, f"no two numeric parameters were searched together in {LEAST} trials")


def draw_contour(info: ContourInfo, objective: str) -> go.Figure:
    """Lighter is better; every trial is a point."""
    grid = np.linspace(0, 1, _GRID)
    scale = {"title": {"text": plain(objective).split(".")[-1].replace("_", " "), "side": "right"}, "thickness": 14}
    surface = go.Contour(
        x=grid.tolist(), y=grid.tolist(), z=np.round(info.surface, 5).tolist(), colorscale="Cividis", opacity=0.9,
        contours={"showlines": False}, colorbar=scale | {"outlinewidth": 0}, hoverinfo="skip", connectgaps=False,
    )  # fmt: skip
    points = go.Scatter(
        x=[p.x for p in info.points], y=[p.y for p in info.points], mode="markers", showlegend=False,
        customdata=[p.number for p in info.points], hoverinfo="text",
        marker={
            "size": 9, "color": [p.value for p in info.points], "colorscale": "Cividis", "showscale": False,
            "cmin": float(np.nanmin(info.surface)), "cmax": float(np.nanmax(info.surface)),
            "line": {"width": 1.5, "color": "#ffffff"},
        },
        text=[f"trial {p.number}: {number(p.value)}<br>{'<br>'.join(map(plain, p.words))}" for p in info.points],
    )  # fmt: skip
    drawn = dress(go.Figure([surface, points]), x="", y="", height=460)
    for axis, update in ((info.x, drawn.update_xaxes), (info.y, drawn.update_yaxes)):
        if axis is not None:
            update(**_ticks(axis))
    return drawn


def _ticks(axis: Axis) -> dict[str, Any]:
    places, words = [place for place, _ in axis.ticks], [plain(word) for _, word in axis.ticks]
    title = plain(axis.name) + (" (log)" if axis.log else "")
    return {
        "title_text": title,
        "tickvals": places,
        "ticktext": words,
        "range": [-0.03, 1.03],
        "gridcolor": PALE,
        "showgrid": False,
    }


def _pairs(order: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of the most important parameters, by the sum of their ranks."""
    ranked = range(min(len(order), 6))
    found = [(a + b, a, b) for a in ranked for b in ranked if a < b]
    return [(order[a], order[b]) for _, a, b in sorted(found)]


def _points(
    trials: Sequence[TrialRecord],
    epoch: int | None,
    first: tuple[str, BaseDistribution],
    second: tuple[str, BaseDistribution],
) -> tuple[Met, ...]:
    found = []
    for trial in trials:
        complete = trial.state == TrialState.COMPLETE
        value = (trial.value if complete else None) if epoch is None else trial.curve.get(epoch)
        if value is None or not all(name in trial.params for name, _ in (first, second)):
            continue
        x, y = (place_of(kind, trial.params[name]) for name, kind in (first, second))
        if x is not None and y is not None:
            one, two = (f"{name} = {word_of(trial.params[name])}" for name, _ in (first, second))
            found.append(Met(trial.number, x, y, value, (one, two)))
    return tuple(found)


def _surface(points: Sequence[Met]) -> NDArray[np.float64] | None:
    """None where all trials lie on one line."""
    grid = np.linspace(0, 1, _GRID)
    try:
        between = LinearNDInterpolator([(p.x, p.y) for p in points], [p.value for p in points])
    except QhullError:
        return None
    found = np.asarray(between(*np.meshgrid(grid, grid)), np.float64)
    return None if np.isnan(found).all() else found


def _nothing(importance: ImportanceInfo, why: str) -> ContourInfo:
    return ContourInfo(None, None, importance.about, (), np.empty((0, 0)), why)
