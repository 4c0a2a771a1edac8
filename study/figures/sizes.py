"""Results by size of lesion: what a detector does with small ones."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.results import entry_label
from study.figures.detectors import shape_of
from study.figures.style import dress, number, plain, series_looks

QUANTITIES = {"average_precision": "pixel AP", "sample_auroc": "slice AUROC"}


class SizeSeries(NamedTuple):
    """One detector: by quantity, the values of each size, one per seed. shape: '' for the floor."""

    name: str
    shape: str
    values: dict[str, tuple[tuple[float, ...], ...]]


class SizesInfo(NamedTuple):
    """sizes: (smallest, largest lesion in pixels, slices), small ones first. series: in the order of the entries."""

    sizes: tuple[tuple[int, int, int], ...]
    series: tuple[SizeSeries, ...]

    @property
    def labels(self) -> list[str]:
        """Each size in words."""
        return [f"{low}–{high} px" if high > low else f"{low} px" for low, high, _ in self.sizes]


def sizes_info(entries: Sequence[Mapping[str, Any]]) -> SizesInfo:
    """From the entries of evaluation.json; earlier versions kept no sizes."""
    kept = [entry for entry in entries if entry.get("sizes")]
    if not kept:
        return SizesInfo((), ())
    sizes = tuple((int(one["low"]), int(one["high"]), int(one["slices"])) for one in kept[0]["sizes"])
    series = []
    for entry in kept:
        values = {
            quantity: tuple(tuple(v for v in one[quantity] if v is not None) for one in entry["sizes"])
            for quantity in QUANTITIES
        }
        series.append(SizeSeries(entry_label(entry), shape_of(entry), values))
    return SizesInfo(sizes, tuple(series))


def draw_sizes(info: SizesInfo) -> go.Figure:
    """A panel per quantity, sizes from left to right; symbols are means over seeds, bars their range."""
    drawn = make_subplots(1, len(QUANTITIES), horizontal_spacing=0.13)
    looks = series_looks({one.name: one.shape for one in info.series})
    for index, one in enumerate(info.series):
        look = looks[one.name]
        shift = (index - (len(info.series) - 1) / 2) * 0.06
        for column, quantity in enumerate(QUANTITIES, 1):
            found = [(place, values) for place, values in enumerate(one.values[quantity]) if values]
            means = [sum(values) / len(values) for _, values in found]
            drawn.add_trace(
                go.Scatter(
                    x=[place + shift for place, _ in found], y=means, mode="lines+markers", name=plain(one.name),
                    legendgroup=one.name, showlegend=column == 1,
                    line={"color": look.colour, "dash": look.dash, "width": 2.5 if index == 0 else 1.4},
                    marker={"symbol": look.symbol, "size": 9, "line": {"width": 2 if "-open" in look.symbol else 0}},
                    error_y={
                        "type": "data", "symmetric": False, "color": look.colour, "thickness": 1.4, "width": 3,
                        "array": [max(values) - mean for (_, values), mean in zip(found, means, strict=True)],
                        "arrayminus": [mean - min(values) for (_, values), mean in zip(found, means, strict=True)],
                    },
                    text=[
                        f"{plain(one.name)}, {info.labels[place]}: {number(mean, 3)}"
                        for (place, _), mean in zip(found, means, strict=True)
                    ],
                    hoverinfo="text",
                ),
                1, column,
            )  # fmt: skip
    dress(drawn, x="lesion in the slice", y="", height=460, showlegend=True)
    ticks = [f"{label}<br>{slices} slices" for label, (_, _, slices) in zip(info.labels, info.sizes, strict=True)]
    drawn.update_xaxes(tickvals=list(range(len(ticks))), ticktext=ticks, range=[-0.5, len(ticks) - 0.5])
    for column, title in enumerate(QUANTITIES.values(), 1):
        drawn.update_yaxes(title_text=title, row=1, col=column, rangemode="tozero" if column == 1 else "normal")
    return drawn
