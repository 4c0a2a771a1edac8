"""Learning curves: the objective after every epoch, and where trials were stopped."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from study.figures.style import PALE_LINE, WEBGL_ABOVE, figure, look_of, number, shape_name
from study.records import TrialRecord


class Curve(NamedTuple):
    """One trial: (epoch, objective) pairs. stopped: ended early by the scheduler."""

    number: int
    shape: str
    stopped: bool
    points: tuple[tuple[int, float], ...]


class LearningInfo(NamedTuple):
    """curves: of scored trials. budget: epochs of a full training. best: the trial to be drawn boldly."""

    curves: tuple[Curve, ...]
    budget: int
    best: int | None


def learning_info(trials: Sequence[TrialRecord], budget: int, best: int | None = None) -> LearningInfo:
    """Gather the curves of all trials that were scored at least once."""
    curves = (
        Curve(trial.number, trial.shape, trial.state == TrialState.PRUNED, tuple(trial.curve.items()))
        for trial in trials
        if trial.curve
    )
    return LearningInfo(tuple(curves), budget, best)


def draw_learning(info: LearningInfo, objective: str) -> go.Figure:
    """Stopped trials are pale and end in a cross; the best is bold. All curves of one kind are one trace."""
    points = sum(len(curve.points) for curve in info.curves)
    scatter = go.Scattergl if points > WEBGL_ABOVE else go.Scatter
    traces = []
    kinds = sorted({(not c.stopped, c.shape, c.number == info.best) for c in info.curves}, key=lambda k: (k[2], *k))
    for full, shape, best in kinds:
        chosen = [c for c in info.curves if (not c.stopped, c.shape, c.number == info.best) == (full, shape, best)]
        look = look_of(shape)
        x: list[float | None] = []
        y: list[float | None] = []
        text: list[str | None] = []
        numbers: list[int | None] = []
        for curve in chosen:
            x += [*(epoch for epoch, _ in curve.points), None]
            y += [*(value for _, value in curve.points), None]
            numbers += [*(curve.number for _ in curve.points), None]
            text += [*(f"trial {curve.number}, epoch {e}: {number(v)}" for e, v in curve.points), None]
        name = f"trial {info.best}, {shape_name(shape)}" if best else shape_name(shape) + ("" if full else ", stopped")
        traces.append(
            scatter(
                x=x,
                y=y,
                mode="lines+markers",
                name=name,
                line={"color": look.colour, "width": 3.5 if best else 1.6, "dash": "solid" if full else "dot"},
                marker={"symbol": look.symbol, "size": 8 if best else 5},
                opacity=1 if full else PALE_LINE,
                text=text,
                customdata=numbers,
                hoverinfo="text",
                connectgaps=False,
            )
        )
    ends = [(curve, *curve.points[-1]) for curve in info.curves if curve.stopped]
    if ends:
        traces.append(
            scatter(
                x=[epoch for _, epoch, _ in ends],
                y=[value for _, _, value in ends],
                mode="markers",
                name="stopped here",
                marker={
                    "symbol": "x-thin-open",
                    "size": 9,
                    "color": [look_of(curve.shape).colour for curve, _, _ in ends],
                    "line": {"width": 2},
                },
                customdata=[curve.number for curve, _, _ in ends],
                text=[f"trial {curve.number} stopped at epoch {epoch}" for curve, epoch, _ in ends],
                hoverinfo="text",
            )
        )
    drawn = figure(traces, x="epoch", y=objective, showlegend=True)
    return drawn.update_xaxes(range=[0.7, info.budget + 0.3], dtick=max(1, round(info.budget / 10)))
