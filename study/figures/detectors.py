"""Detectors on the test table: figures with intervals beside the floor, and their ROC and precision-recall curves."""

from collections.abc import Mapping, Sequence
from math import log10
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.config import from_dict
from core.errors import BadConfig
from study.figures.style import ACCENT, dress, number, plain, reach, series_looks

WINNER = "winner"
_DECADES = -4  # of the log axis of false positive rates: rarer alarms than 1 in 10,000 pixels are not told apart
_RATES = 10 ** (np.arange(8 * _DECADES, 1) / 8)  # where straight lines are sampled that a log axis bends


class Estimate(NamedTuple):
    """A figure with its interval."""

    estimate: float
    low: float
    high: float


class Detector(NamedTuple):
    """One row of the test table. shape: of its configuration's masks, '' for the floor, which trains nothing.

    outliers: whether it learns from pseudo-outliers, so that its masks matter.

    kind: detector, floor, or postprocessed: the winner's maps after a step of their own.
    estimates: by quantity, such as pixel.average_precision. by_seed: the same under each seed, without intervals.
    dice: at the threshold chosen on the probe, one per seed. gain: pixel AP of the winner minus this one's.
    """

    name: str
    shape: str
    outliers: bool
    kind: str
    estimates: dict[str, Estimate]
    by_seed: dict[str, tuple[float, ...]]
    dice: tuple[float, ...]
    gain: Estimate | None
    curves: dict[str, list[float]]
    prevalence: float

    @property
    def is_floor(self) -> bool:
        """Whether it trains nothing."""
        return self.kind == "floor"

    @property
    def is_control(self) -> bool:
        """Whether it was trained to stand beside the winner; the winner post-processed was not."""
        return self.kind == "detector" and self.name != WINNER

    @property
    def label(self) -> str:
        """The name as readers see it."""
        return f"floor: {self.name}" if self.is_floor else self.name


class DetectorsInfo(NamedTuple):
    """The rows of evaluation.json: winner first, the same post-processed, then its controls, then the floor."""

    detectors: tuple[Detector, ...]

    @property
    def prevalence(self) -> float:
        """Share of anomalous pixels in the frame, the same for all."""
        return self.detectors[0].prevalence if self.detectors else 0.0


def detectors_info(evaluation: Mapping[str, Any] | None) -> DetectorsInfo:
    """Read the entries of evaluation.json; none without one or without a test table."""
    entries: Sequence[Mapping[str, Any]] = (evaluation or {}).get("entries", [])
    gains: Mapping[str, Any] = (evaluation or {}).get("differences", {})
    rows = []
    for entry in entries:
        config = entry["config"] or {}
        quantities = sorted({name for figures in entry["figures"] for name in figures})
        rows.append(
            Detector(
                entry["name"],
                shape_of(entry),
                uses_outliers(config),
                str(entry["kind"]),
                {name: _estimate(found) for name, found in entry["intervals"].items()},
                {name: tuple(f[name] for f in entry["figures"] if name in f) for name in quantities},
                tuple(value for value in entry["dice"] if value is not None),
                _estimate(gains[entry["name"]]) if entry["name"] in gains else None,
                entry["curves"],
                float(entry["prevalence"]),
            )
        )
    after = {"postprocessed": 1, "detector": 2, "floor": 3}
    return DetectorsInfo(tuple(sorted(rows, key=lambda row: 0 if row.name == WINNER else after[row.kind])))


def shape_of(entry: Mapping[str, Any]) -> str:
    """The mask shape of an entry's configuration; '' of the floor, which has none."""
    return str((entry["config"] or {}).get("synthesis", {}).get("mask", {}).get("kind", ""))


def uses_outliers(config: Mapping[str, Any]) -> bool:
    """Whether a recorded configuration's method learns from pseudo-outliers, so that its masks matter.

    One that only another version can read is taken for such: its masks are told as they stand.
    """
    try:
        return from_dict(dict(config)).detector.uses_outliers
    except BadConfig:
        return True


def draw_intervals(info: DetectorsInfo, quantities: Mapping[str, str]) -> go.Figure:
    """One panel per quantity {name: axis title}: estimate and interval of every detector, the floor in grey."""
    drawn = make_subplots(1, len(quantities), shared_yaxes=True, horizontal_spacing=0.06)
    rows = list(reversed(info.detectors))
    looks = series_looks({row.label: row.shape for row in info.detectors})
    for column, quantity in enumerate(quantities, 1):
        for place, row in enumerate(rows):
            look = looks[row.label]
            found = row.gain if quantity == "gain" else row.estimates.get(quantity)
            if found is None:
                continue
            drawn.add_trace(
                go.Scatter(
                    x=[found.estimate],
                    y=[place],
                    error_x=reach(found.estimate, found.low, found.high, look.colour),
                    mode="markers",
                    marker={
                        "symbol": look.symbol,
                        "size": 15 if row.name == WINNER else 11,
                        "color": look.colour,
                        "line": {"width": 2.5 if "-open" in look.symbol else 0},
                    },
                    text=[f"{plain(row.label)}: {_words(found)}"],
                    hoverinfo="text",
                ),
                1,
                column,
            )
    dress(drawn, x="", y="", height=110 + 38 * len(rows), showlegend=False)
    labels = [plain(row.label) for row in rows]
    drawn.update_yaxes(range=[-0.6, len(rows) - 0.4], tickvals=list(range(len(rows))), ticktext=labels)
    for column, (quantity, title) in enumerate(quantities.items(), 1):
        drawn.update_xaxes(title_text=title, row=1, col=column)
        if quantity == "gain":
            drawn.add_vline(x=0, line={"color": ACCENT, "width": 1.5, "dash": "dash"}, row=1, col=column)
    return drawn.update_layout(margin={"t": 16})


def draw_curves(info: DetectorsInfo) -> go.Figure:
    """ROC and precision-recall of the first seed, below with a log axis; finely dotted is what guessing reaches."""
    drawn = make_subplots(2, 2, horizontal_spacing=0.13, vertical_spacing=0.14)
    looks = series_looks({row.label: row.shape for row in info.detectors})
    for row in info.detectors:
        look = looks[row.label]
        line = {"color": look.colour, "width": 3.5 if row.name == WINNER else 1.8, "dash": look.dash}
        roc = row.curves["false_positive_rate"], row.curves["recall"]
        ranking = row.curves["recall"], row.curves["precision"]
        for column, curves in enumerate(((roc, on_log_axis(*roc)), (ranking, ranking)), 1):
            for level, (x, y) in enumerate(curves, 1):
                drawn.add_trace(
                    go.Scatter(
                        x=x, y=y, mode="lines", line=line, name=plain(row.label), legendgroup=row.label,
                        showlegend=column == level == 1, hovertemplate="%{x:.3g}, %{y:.3g}",
                    ),
                    level, column,
                )  # fmt: skip
    dress(drawn, x="", y="", height=780, showlegend=True)
    guess = {"color": ACCENT, "width": 1.5, "dash": "2px,2px"}
    for level, line_of in ((1, [0.0, 1.0]), (2, _RATES.tolist())):
        drawn.add_trace(
            go.Scatter(x=line_of, y=line_of, mode="lines", line=guess, showlegend=False, hoverinfo="skip"), level, 1
        )
        drawn.add_hline(y=info.prevalence, line=guess, row=level, col=2)
        drawn.update_xaxes(title_text="false positive rate (pixels)", row=level, col=1)
        drawn.update_yaxes(title_text="true positive rate (pixels)", range=[-0.01, 1.02], row=level, col=1)
        drawn.update_xaxes(title_text="recall (pixels)", range=[-0.01, 1.01], row=level, col=2)
        drawn.update_yaxes(title_text="precision (pixels)", row=level, col=2)
    drawn.add_annotation(
        x=1, y=1, text=f"red: prevalence {info.prevalence:.2g}", showarrow=False, xanchor="right", yanchor="top",
        row=1, col=2,
    )  # fmt: skip
    drawn.update_xaxes(range=[-0.01, 1.01], row=1, col=1)
    drawn.update_yaxes(range=[-0.01, 1.02], row=1, col=2)
    drawn.update_xaxes(
        type="log",
        dtick=1,
        exponentformat="power",
        range=[_DECADES, 0],
        title_text="false positive rate, log",
        row=2,
        col=1,
    )
    lowest = min(_DECADES / 2, log10(info.prevalence) - 0.2) if info.prevalence else _DECADES / 2
    return drawn.update_yaxes(type="log", dtick=1, range=[lowest, 0.02], title_text="precision, log", row=2, col=2)


def on_log_axis(rates: Sequence[float], recalls: Sequence[float]) -> tuple[list[float], list[float]]:
    """A ROC curve, from (0, 0) to (1, 1), for the log axis: its points there, and points of the lines that join them.

    A rate of 0 has no place on it, so what lies left of the first point there is interpolated, linearly in the rate.
    """
    if not len(rates):
        return [], []
    x, y = np.asarray(rates), np.asarray(recalls)
    here = x >= _RATES[0]
    on_x = np.append(x[here], _RATES)
    on_y = np.append(y[here], np.interp(_RATES, x, y))
    order = np.lexsort((on_y, on_x))
    return on_x[order].tolist(), on_y[order].tolist()


def _estimate(found: Mapping[str, Any]) -> Estimate:
    return Estimate(float(found["estimate"]), float(found["low"]), float(found["high"]))


def _words(found: Estimate) -> str:
    return f"{number(found.estimate, 3)} [{number(found.low, 3)}, {number(found.high, 3)}]"
