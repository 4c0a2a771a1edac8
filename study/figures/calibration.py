"""Calibration: of the pixels to which a detector gives a probability, the share that is anomalous."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from core.results import entry_label
from study.figures.detectors import shape_of
from study.figures.style import GREY, Series, figure, plain, series_looks

LEAST = 1e-4  # shares below it lie at the edge of the log axes


class Calibrated(NamedTuple):
    """One detector: points (predicted, observed, pixels) by bin of probability, and the mean distance of the two.

    look: as in the other figures, which show every entry.
    """

    name: str
    look: Series
    points: tuple[tuple[float, float, int], ...]
    error: float


def calibration_info(entries: Sequence[Mapping[str, Any]]) -> tuple[Calibrated, ...]:
    """From the entries of evaluation.json: of detectors whose maps are probabilities, as far as they were kept."""
    looks = series_looks({entry_label(entry): shape_of(entry) for entry in entries})
    return tuple(
        Calibrated(
            entry["name"],
            looks[entry_label(entry)],
            tuple(zip(*(entry["calibration"][part] for part in ("predicted", "observed", "pixels")), strict=True)),
            float(entry["calibration"]["error"]),
        )
        for entry in entries
        if entry.get("calibration")
    )


def draw_calibration(info: Sequence[Calibrated]) -> go.Figure:
    """Both axes log; on the dashed line a probability means what it says, below it the detector cries wolf."""
    traces: list[go.Scatter] = []
    for one in info:
        traces.append(
            go.Scatter(
                x=[max(predicted, LEAST) for predicted, _, _ in one.points],
                y=[max(observed, LEAST) for _, observed, _ in one.points],
                mode="lines+markers", name=plain(one.name), marker={"symbol": one.look.symbol, "size": 9},
                line={"color": one.look.colour, "dash": one.look.dash, "width": 2},
                text=[
                    f"{plain(one.name)}: predicted {p:.3g}, anomalous {o:.3g}, of {n:,} pixels"
                    for p, o, n in one.points
                ],
                hoverinfo="text",
            )
        )  # fmt: skip
    drawn = figure(traces, x="predicted probability (pixels)", y="share that is anomalous", height=430, showlegend=True)
    drawn.add_shape(
        type="line", x0=LEAST, y0=LEAST, x1=1, y1=1, line={"color": GREY, "dash": "dash", "width": 1.5}, layer="below"
    )
    axis = {"type": "log", "range": [-4.1, 0.1], "tickvals": [1e-4, 1e-3, 1e-2, 1e-1, 1]}
    drawn.update_xaxes(**axis, ticktext=["≤ 0.0001", "0.001", "0.01", "0.1", "1"])
    return drawn.update_yaxes(**axis, ticktext=["≤ 0.0001", "0.001", "0.01", "0.1", "1"])
