"""Rungs: at which epochs trials were compared, who went on from there and who was stopped."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from study.asha import Asha
from study.figures.style import GREY, HOLLOW, WEBGL_ABOVE, figure, look_of, number, shape_name
from study.records import TrialRecord


class RungMember(NamedTuple):
    """A trial's objective at a rung. stopped: it ended there."""

    number: int
    value: float
    shape: str
    stopped: bool


class Rung(NamedTuple):
    """A comparison at one epoch. cutoff: what a trial would have to reach now, all members known.

    A trial was compared with those that had come before it, so early ones may have gone on from below the cut-off.
    """

    epoch: int
    members: tuple[RungMember, ...]
    cutoff: float

    @property
    def stopped(self) -> int:
        """How many ended here."""
        return sum(member.stopped for member in self.members)


def rungs_info(trials: Sequence[TrialRecord], grace: int, reduction: int, budget: int) -> tuple[Rung, ...]:
    """Every scored trial on the rungs at grace, grace * reduction, ... below the budget, as far as any came."""
    rungs = []
    asha = Asha(grace, reduction)
    for epoch in asha.rungs(budget):
        members = tuple(
            RungMember(t.number, t.curve[epoch], t.shape, t.state == TrialState.PRUNED and t.epochs == epoch)
            for t in trials
            if epoch in t.curve
        )
        if members:
            rungs.append(Rung(epoch, members, asha.cutoff([member.value for member in members])))
    return tuple(rungs)


def draw_rungs(rungs: Sequence[Rung], objective: str) -> go.Figure:
    """One column per rung: filled symbols went on, hollow ones were stopped, the bar is the final cut-off."""
    points = sum(len(rung.members) for rung in rungs)
    scatter = go.Scattergl if points > WEBGL_ABOVE else go.Scatter
    traces = []
    kinds = sorted({(member.shape, member.stopped) for rung in rungs for member in rung.members})
    for shape, stopped in kinds:
        look = look_of(shape)
        # Spread sideways by trial number, so that equal values stay apart and a trial keeps its place.
        chosen = [
            (index + (member.number * 0.618 % 1 - 0.5) * 0.5, member, rung)
            for index, rung in enumerate(rungs)
            for member in rung.members
            if (member.shape, member.stopped) == (shape, stopped)
        ]
        traces.append(
            scatter(
                x=[x for x, _, _ in chosen],
                y=[member.value for _, member, _ in chosen],
                mode="markers",
                name=shape_name(shape) + (", stopped" if stopped else ", went on"),
                marker={
                    "symbol": f"{look.symbol}-open" if stopped else look.symbol,
                    "color": look.colour,
                    "size": 9,
                    "line": {"width": HOLLOW if stopped else 0},
                },
                customdata=[m.number for _, m, _ in chosen],
                text=[f"trial {m.number}: {number(m.value)} at epoch {rung.epoch}" for _, m, rung in chosen],
                hoverinfo="text",
            )
        )
    drawn = figure(traces, x="rung (epoch)", y=objective, showlegend=True)
    for index, rung in enumerate(rungs):
        drawn.add_shape(
            type="line", x0=index - 0.36, x1=index + 0.36, y0=rung.cutoff, y1=rung.cutoff,
            line={"color": GREY, "width": 2, "dash": "dash"},
        )  # fmt: skip
    ticks = [f"{rung.epoch}<br>{len(rung.members)} came, {rung.stopped} stopped" for rung in rungs]
    return drawn.update_xaxes(
        tickvals=list(range(len(ticks))), ticktext=ticks, range=[-0.6, len(ticks) - 0.4], showgrid=False
    )
