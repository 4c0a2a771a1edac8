"""Parallel coordinates: every trial as a line through its parameters to its objective.

Drawn from plain lines rather than plotly's own kind, which knows neither parameters that are not searched under a
condition nor log axes, cannot dim single lines, and does not print.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from study.figures.axes import Axis, axis_of, place_of, searched, word_of
from study.figures.style import FONT, GREY, PALE_LINE, end_of, figure, look_of, number, plain, shape_name
from study.records import TrialRecord

ABSENT = -0.12  # where a line passes an axis whose parameter it does not have


class Line(NamedTuple):
    """One trial: its place on every axis, None where it has no such parameter; words has its values.

    end: how it ended, '' at full budget.
    """

    number: int
    shape: str
    end: str
    places: tuple[float | None, ...]
    words: tuple[str, ...]


class ParallelInfo(NamedTuple):
    """axes: parameters in the order in which they were searched, the objective last. best: the line to be bold."""

    axes: tuple[Axis, ...]
    lines: tuple[Line, ...]
    best: int | None


def parallel_info(trials: Sequence[TrialRecord], objective: str, best: int | None = None) -> ParallelInfo:
    """Place every scored trial on the axes of all parameters that any of them has."""
    scored = [trial for trial in trials if trial.value is not None and trial.params]
    if not scored:
        return ParallelInfo((), (), best)
    kinds = searched(scored)
    values = [trial.value for trial in scored if trial.value is not None]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    middle = (low + high) / 2
    axes = [axis_of(name, kind) for name, kind in kinds.items()]
    axes.append(Axis(objective, ((0.0, number(low, 3)), (0.5, number(middle, 3)), (1.0, number(high, 3)))))
    lines = []
    for trial in scored:
        places = [place_of(kind, trial.params[name]) if name in trial.params else None for name, kind in kinds.items()]
        words = [word_of(trial.params[name]) if name in trial.params else "not searched" for name in kinds]
        lines.append(
            Line(
                trial.number,
                trial.shape,
                end_of(trial.state),
                (*places, ((trial.value or 0.0) - low) / span),
                (*words, number(trial.value)),
            )
        )
    return ParallelInfo(tuple(axes), tuple(lines), best)


def draw_parallel(info: ParallelInfo) -> go.Figure:
    """Coloured by mask shape; below full budget pale, the best bold, a dip below an axis is 'not searched'."""
    columns = list(range(len(info.axes)))
    traces = []
    kinds = sorted(
        {(line.number == info.best, line.end, line.shape) for line in info.lines},
        key=lambda kind: (kind[0], not kind[1], kind),  # the pale ones first, the best last, on top
    )
    for is_best, end, shape in kinds:
        x: list[float | None] = []
        y: list[float | None] = []
        text: list[str | None] = []
        numbers: list[int | None] = []
        for line in info.lines:
            if (line.number == info.best, line.end, line.shape) != (is_best, end, shape):
                continue
            x += [*columns, None]
            numbers += [line.number] * len(columns) + [None]
            y += [*(ABSENT if place is None else place for place in line.places), None]
            text += [
                *(
                    f"trial {line.number}<br>{plain(axis.name)}: {plain(word)}"
                    for axis, word in zip(info.axes, line.words, strict=True)
                ),
                None,
            ]
        look = look_of(shape)
        name = f"trial {info.best}, {shape_name(shape)}" if is_best else shape_name(shape, end)
        traces.append(
            go.Scatter(
                x=x, y=y, text=text, customdata=numbers, hoverinfo="text", mode="lines+markers", name=name,
                connectgaps=False,
                line={"color": look.colour, "width": 4 if is_best else 1.8, "dash": "dot" if end else "solid"},
                marker={"symbol": look.symbol, "size": 8 if is_best else 5},
                opacity=PALE_LINE if end else 1,
            )
        )  # fmt: skip
    drawn = figure(traces, x="", y="", height=540, showlegend=True)
    drawn.update_xaxes(visible=False, range=[-0.45, len(columns) - 0.35])
    drawn.update_yaxes(visible=False, range=[-0.72, 1.08])
    # All at once: plotly copies the whole list with every annotation that is added singly.
    drawn.update_layout(
        shapes=[
            {
                "type": "line",
                "x0": at,
                "x1": at,
                "y0": 0,
                "y1": 1,
                "line": {"color": GREY, "width": 1},
                "layer": "below",
            }
            for at in columns
        ],
        annotations=[words for at, axis in enumerate(info.axes) for words in _written(at, axis)],
        margin={"l": 70, "r": 10, "t": 62, "b": 4},
    )
    return drawn


def _written(column: int, axis: Axis) -> list[dict[str, Any]]:
    """The ticks of an axis and, slanted below it, its name."""
    tick = {"x": column, "showarrow": False, "xanchor": "left", "xshift": 5, "bgcolor": "rgba(128,134,143,0.14)"}
    ticks = [tick | {"y": place, "text": plain(word), "font": {"size": 10.5}} for place, word in axis.ticks]
    name = plain(axis.name) + (" (log)" if axis.log else "")
    below = {"x": column, "y": ABSENT - 0.06, "xanchor": "right", "yanchor": "top", "xshift": 10, "showarrow": False}
    return [*ticks, below | {"text": name, "textangle": -32, "font": {"size": 11, "family": FONT}}]
