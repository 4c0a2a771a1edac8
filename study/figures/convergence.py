"""Convergence: the objective of each arm after every epoch, as mean and range over the seeds."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from study.figures.style import figure, number, plain, series_looks
from study.records import TrialRecord


class Convergence(NamedTuple):
    """One arm: (epoch, mean, lowest, highest objective) over its seeds, for epochs that all of them have.

    shape: of its masks.
    """

    name: str
    shape: str
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
        points = tuple((e, sum(v) / len(v), min(v), max(v)) for e, v in values.items())
        found.append(Convergence(name, runs[0].shape if runs else "", points))
    return tuple(found)


def draw_convergence(info: Sequence[Convergence], objective: str) -> go.Figure:
    """Lines are means, ribbons the range over seeds; each arm's line can be switched by its name."""
    traces = []
    looks = series_looks({arm.name: arm.shape for arm in info})
    for arm in info:
        look = looks[arm.name]
        epochs = [point[0] for point in arm.points]
        outline = [p[3] for p in arm.points] + [p[2] for p in reversed(arm.points)]
        traces.append(
            go.Scatter(
                x=epochs + epochs[::-1], y=outline, fill="toself", fillcolor=look.colour, opacity=0.13, mode="lines",
                line={"width": 0}, hoverinfo="skip", showlegend=False, legendgroup=plain(arm.name),
            )
        )  # fmt: skip
        traces.append(
            go.Scatter(
                x=epochs, y=[p[1] for p in arm.points], mode="lines+markers", name=plain(arm.name),
                line={"color": look.colour, "dash": look.dash, "width": 2.2}, marker={"symbol": look.symbol, "size": 7},
                legendgroup=plain(arm.name),
                text=[
                    f"{plain(arm.name)}, epoch {epoch}: {number(mean)} ({number(low)} to {number(high)})"
                    for epoch, mean, low, high in arm.points
                ],
                hoverinfo="text",
            )
        )  # fmt: skip
    return figure(traces, x="epoch", y=objective, height=430, showlegend=True)
