"""Optimisation history: the objective of every trial in the order in which they were asked for."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from study.figures.style import ACCENT, GREY, HOLLOW, WEBGL_ABOVE, end_of, figure, look_of, number, plain, shape_name
from study.records import TrialRecord


class HistoryPoint(NamedTuple):
    """A scored trial. end: how it ended, '' at full budget."""

    number: int
    value: float
    epochs: int
    shape: str
    end: str

    @property
    def full(self) -> bool:
        """Whether it reached the whole budget."""
        return not self.end


class HistoryInfo(NamedTuple):
    """points: scored trials. best: (number, value) whenever a full-budget trial beat those before it.

    failed: (number, reason). paper: the trial that is the preset's own choice, if it was scored.
    """

    points: tuple[HistoryPoint, ...]
    best: tuple[tuple[int, float], ...]
    failed: tuple[tuple[int, str], ...]
    paper: HistoryPoint | None


def history_info(trials: Sequence[TrialRecord]) -> HistoryInfo:
    """Gather the history; a trial that still runs counts with its newest epoch."""
    points, best, paper = [], list[tuple[int, float]](), None
    for trial in trials:
        if trial.value is None or trial.state == TrialState.FAIL:
            continue
        point = HistoryPoint(trial.number, trial.value, trial.epochs, trial.shape, end_of(trial.state))
        points.append(point)
        if point.full and (not best or trial.value > best[-1][1]):
            best.append((trial.number, trial.value))
        if trial.is_base:
            paper = point
    failed = [(t.number, t.reason or "no reason was recorded") for t in trials if t.state == TrialState.FAIL]
    return HistoryInfo(tuple(points), tuple(best), tuple(failed), paper)


def draw_history(info: HistoryInfo, objective: str) -> go.Figure:
    """Filled symbols are full-budget trials, hollow ones are not; the line is the best so far."""
    scatter = go.Scattergl if len(info.points) > WEBGL_ABOVE else go.Scatter
    traces = []
    if info.best:
        last = max(point.number for point in info.points)
        steps = [*info.best, (last, info.best[-1][1])]
        x, y = zip(*steps, strict=True)
        line = {"color": GREY, "width": 1.5, "shape": "hv"}
        traces.append(go.Scatter(x=x, y=y, mode="lines", line=line, name="best so far, full budget", hoverinfo="skip"))
    for shape, end in sorted({(point.shape, point.end) for point in info.points}):
        chosen = [point for point in info.points if (point.shape, point.end) == (shape, end)]
        look = look_of(shape)
        traces.append(
            scatter(
                x=[point.number for point in chosen],
                y=[point.value for point in chosen],
                mode="markers",
                name=shape_name(shape, end),
                marker={
                    "symbol": f"{look.symbol}-open" if end else look.symbol,
                    "color": look.colour,
                    "size": 8 if end else 10,
                    "line": {"width": HOLLOW if end else 0},
                },
                customdata=[p.number for p in chosen],
                text=[f"trial {p.number}: {number(p.value)} at epoch {p.epochs}" for p in chosen],
                hoverinfo="text",
            )
        )
    if info.failed:
        floor = min((point.value for point in info.points), default=0.0)
        traces.append(
            go.Scatter(
                x=[trial for trial, _ in info.failed],
                y=[floor] * len(info.failed),
                mode="markers",
                name="failed",
                marker={"symbol": "x-thin-open", "color": ACCENT, "size": 9, "line": {"width": 2}},
                customdata=[trial for trial, _ in info.failed],
                text=[f"trial {trial} failed: {plain(reason[:120])}" for trial, reason in info.failed],
                hoverinfo="text",
            )
        )
    drawn = figure(traces, x="trial", y=objective, showlegend=True)
    if info.paper:
        arrow = {"showarrow": True, "arrowhead": 2, "ax": 36, "ay": -34, "arrowcolor": GREY}
        drawn.add_annotation(x=info.paper.number, y=info.paper.value, text="the preset's own", **arrow)
    asked = [*(point.number for point in info.points), *(trial for trial, _ in info.failed)]
    return drawn.update_xaxes(dtick=max(1, round((max(asked, default=0) + 1) / 12)))
