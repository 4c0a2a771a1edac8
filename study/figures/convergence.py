"""Convergence: the objective of each arm after every epoch, as mean and range over the seeds."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from study.figures.style import SERIES, figure, number, plain
from study.records import TrialRecord

_LINES = (("solid", "circle"), ("dash", "diamond-open"), ("dot", "square-open"))  # of six series each


class Convergence(NamedTuple):
    """One arm: (epoch, mean, lowest, highest objective) over its seeds, for epochs that all of them have."""

    name: str
    points: tuple[tuple[int, float, float, float], ...]

    @property
    def still_rising(self) -> bool:
        """Whether the mean of the last quarter of the epochs lies above that of the quarter before by a tenth."""
        quarter = len(self.points) // 4
        if not quarter:
            return False
        last, before = (sum(p[1] for p in self.points[a:b]) for a, b in ((-quarter, None), (-2 * quarter, -quarter)))
        return last > 1.1 * before


def convergence_info(trained: Mapping[str, Sequence[TrialRecord]]) -> tuple[Convergence, ...]:
    """trained: the trainings of each arm, one a seed."""
    found = []
    for name, runs in trained.items():
        epochs = sorted(set.intersection(*(set(run.curve) for run in runs))) if runs else []
        values = {epoch: [run.curve[epoch] for run in runs] for epoch in epochs}
        found.append(Convergence(name, tuple((e, sum(v) / len(v), min(v), max(v)) for e, v in values.items())))
    return tuple(found)


def draw_convergence(info: Sequence[Convergence], objective: str) -> go.Figure:
    """Lines are means, ribbons the range over seeds; each arm's line can be switched by its name."""
    traces = []
    for index, arm in enumerate(info):
        colour, (dash, symbol) = SERIES[index % len(SERIES)], _LINES[index // len(SERIES) % len(_LINES)]
        epochs = [point[0] for point in arm.points]
        outline = [p[3] for p in arm.points] + [p[2] for p in reversed(arm.points)]
        traces.append(
            go.Scatter(
                x=epochs + epochs[::-1], y=outline, fill="toself", mode="lines", line={"width": 0}, fillcolor=colour,
                opacity=0.13, hoverinfo="skip", showlegend=False, legendgroup=plain(arm.name),
            )
        )  # fmt: skip
        traces.append(
            go.Scatter(
                x=epochs, y=[p[1] for p in arm.points], mode="lines+markers", name=plain(arm.name),
                line={"color": colour, "dash": dash, "width": 2.2}, marker={"symbol": symbol, "size": 7},
                legendgroup=plain(arm.name),
                text=[
                    f"{plain(arm.name)}, epoch {epoch}: {number(mean)} ({number(low)} to {number(high)})"
                    for epoch, mean, low, high in arm.points
                ],
                hoverinfo="text",
            )
        )  # fmt: skip
    return figure(traces, x="epoch", y=objective, height=430, showlegend=True)
