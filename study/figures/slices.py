"""Slices: the objective against each searched parameter, one panel each, log where it was searched so."""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import plotly.graph_objects as go
from optuna.distributions import CategoricalDistribution
from plotly.subplots import make_subplots

from study.figures.axes import Axis, axis_of, place_of, searched, word_of
from study.figures.style import HOLLOW, dress, end_of, look_of, number, plain, shape_name
from study.records import TrialRecord

_COLUMNS = 3
_SPREAD = 0.5  # of the distance between two choices, over which their trials are spread


class SlicePoint(NamedTuple):
    """A trial in a panel. place: 0..1 along the axis. end: how it ended, '' at full budget. word: the value there."""

    number: int
    place: float
    value: float
    shape: str
    end: str
    word: str


class Panel(NamedTuple):
    """One parameter and every trial that has it."""

    axis: Axis
    points: tuple[SlicePoint, ...]


class SlicesInfo(NamedTuple):
    """panels: parameters in the order in which they were searched."""

    panels: tuple[Panel, ...]


def slices_info(trials: Sequence[TrialRecord]) -> SlicesInfo:
    """Gather every scored trial under each of its parameters."""
    scored = [trial for trial in trials if trial.value is not None]
    panels = []
    for name, kind in searched(scored).items():
        axis = axis_of(name, kind)
        step = _SPREAD / max(len(axis.ticks) - 1, 1) if isinstance(kind, CategoricalDistribution) else 0.0
        points = []
        for trial in scored:
            place = place_of(kind, trial.params[name]) if name in trial.params else None
            if place is not None and trial.value is not None:
                # By number, so that equal choices stay apart and a trial keeps its place.
                place += (trial.number * 0.618 % 1 - 0.5) * step
                end, word = end_of(trial.state), word_of(trial.params[name])
                points.append(SlicePoint(trial.number, place, trial.value, trial.shape, end, word))
        panels.append(Panel(axis, tuple(points)))
    return SlicesInfo(tuple(panels))


def draw_slices(info: SlicesInfo, objective: str) -> go.Figure:
    """Filled symbols reached the full budget, hollow ones did not and show their last epoch."""
    columns = min(_COLUMNS, len(info.panels))
    rows = ceil(len(info.panels) / max(columns, 1))
    height = 90 + 235 * rows
    drawn = make_subplots(
        rows, columns, shared_yaxes="all", horizontal_spacing=0.03, vertical_spacing=min(0.31 / rows, 0.5)
    )
    named: set[tuple[str, str]] = set()
    for index, panel in enumerate(info.panels):
        at = {"row": index // columns + 1, "col": index % columns + 1}
        for shape, end in sorted({(point.shape, point.end) for point in panel.points}):
            chosen = [point for point in panel.points if (point.shape, point.end) == (shape, end)]
            look = look_of(shape)
            drawn.add_trace(
                go.Scatter(
                    x=[point.place for point in chosen], y=[point.value for point in chosen], mode="markers",
                    name=shape_name(shape, end), legendgroup=f"{shape} {end}", showlegend=(shape, end) not in named,
                    marker={
                        "symbol": f"{look.symbol}-open" if end else look.symbol, "color": look.colour,
                        "size": 7 if end else 9, "line": {"width": HOLLOW if end else 0},
                    },
                    customdata=[point.number for point in chosen],
                    text=[f"trial {p.number}: {number(p.value)} at {plain(p.word)}" for p in chosen],
                    hoverinfo="text",
                ),
                **at,
            )  # fmt: skip
            named.add((shape, end))
    dress(drawn, x="", y="", height=height, showlegend=True)
    for index, panel in enumerate(info.panels):
        at = {"row": index // columns + 1, "col": index % columns + 1}
        places, words = [place for place, _ in panel.axis.ticks], [plain(word) for _, word in panel.axis.ticks]
        title = plain(panel.axis.name) + (" (log)" if panel.axis.log else "")
        reached = [point.place for point in panel.points]
        low, high = min([0.0, *reached]) - 0.12, max([1.0, *reached]) + 0.12
        drawn.update_xaxes(
            title_text=title, title_font_size=11.5, tickvals=places, ticktext=words, tickangle=0, tickfont_size=11,
            range=[low, high], automargin=False, **at,
        )  # fmt: skip
        if at["col"] == 1:
            drawn.update_yaxes(title_text=plain(objective).split(".")[-1].replace("_", " "), **at)
    return drawn.update_layout(margin={"b": 62})
