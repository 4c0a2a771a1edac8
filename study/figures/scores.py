"""Score histograms: where the scores of normal and of anomalous slices and pixels lie, and how far they overlap."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from study.figures.style import ACCENT, SHAPES, dress, plain

SHOWN = 6


class Histogram(NamedTuple):
    """Shares of each class by bin, each adding up to 1 unless the class is absent. edges: one more than bins."""

    edges: tuple[float, ...]
    normal: tuple[float, ...]
    anomalous: tuple[float, ...]

    @property
    def overlap(self) -> float:
        """The share that both classes have in common, 0 when they are apart and 1 when they are alike."""
        return sum(map(min, self.normal, self.anomalous))


class Scored(NamedTuple):
    """One detector. score: by which slices are ranked."""

    name: str
    score: str
    slices: Histogram
    pixels: Histogram


def scores_info(entries: Sequence[Mapping[str, Any]]) -> tuple[Scored, ...]:
    """From the entries of evaluation.json, the first SHOWN that were trained; earlier versions kept no scores."""
    trained = [entry for entry in entries if entry["kind"] == "detector" and entry.get("scores")]
    return tuple(
        Scored(
            entry["name"],
            entry["scores"]["slices"]["score"],
            _histogram(entry["scores"]["slices"]),
            _histogram(entry["scores"]["pixels"]),
        )
        for entry in trained[:SHOWN]
    )


def draw_scores(info: Sequence[Scored]) -> go.Figure:
    """A row per detector: slices at the left, pixels at the right, these on a log scale."""
    titles = [title for one in info for title in (f"{plain(one.name)}: slices", f"{plain(one.name)}: pixels (log)")]
    rows = len(info)
    drawn = make_subplots(
        rows, 2, horizontal_spacing=0.08, vertical_spacing=0.38 / rows if rows > 1 else 0, subplot_titles=titles
    )
    looks = (("normal", SHAPES["brush"].colour), ("anomalous", ACCENT))
    for row, one in enumerate(info, 1):
        for column, histogram in enumerate((one.slices, one.pixels), 1):
            centres = [(low + high) / 2 for low, high in zip(histogram.edges, histogram.edges[1:], strict=False)]
            for name, colour in looks:
                drawn.add_trace(
                    go.Bar(
                        x=centres, y=getattr(histogram, name), name=name, legendgroup=name,
                        showlegend=row == column == 1, marker={"color": colour}, opacity=0.6,
                        hovertemplate=f"{name}, %{{x:.3g}}: %{{y:.2%}}<extra></extra>",
                    ),
                    row, column,
                )  # fmt: skip
    dress(drawn, x="", y="", height=100 + 250 * rows, showlegend=True, barmode="overlay", bargap=0)
    drawn.update_yaxes(tickformat=".2~%", title_text="share of class", col=1)
    drawn.update_yaxes(type="log", tickformat=".0e", dtick=1, col=2)
    for row, one in enumerate(info, 1):
        drawn.update_xaxes(title_text=f"{plain(one.score)} of the map", row=row, col=1)
        drawn.update_xaxes(title_text="value in the map", row=row, col=2)
    return drawn.update_layout(legend_y=1.06 if rows == 1 else 1 + 0.1 / rows)


def _histogram(counts: Mapping[str, Any]) -> Histogram:
    normal, anomalous = (tuple(n / max(sum(counts[name]), 1) for n in counts[name]) for name in ("normal", "anomalous"))
    return Histogram(tuple(counts["edges"]), normal, anomalous)
