"""One figure per family of anomalies: where a detector is strong, and what it does not see."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from study.figures.style import figure, number, plain, series_looks

_QUANTITY = ".average_precision"


class FamilySeries(NamedTuple):
    """One detector: pixel AP by family, one value per seed. shape: '' for the floor."""

    name: str
    shape: str
    values: dict[str, tuple[float, ...]]


class FamiliesInfo(NamedTuple):
    """families: hardest first for the first series. held_out: those that no trial may train on."""

    families: tuple[str, ...]
    series: tuple[FamilySeries, ...]
    held_out: frozenset[str]


def families_info(
    series: Sequence[tuple[str, str, Sequence[Mapping[str, float]]]],
    *,
    held_out: Collection[str] = (),
) -> FamiliesInfo:
    """Gather the average precision by family of (name, shape, figures under each seed)."""
    gathered = []
    for name, shape, runs in series:
        values: dict[str, tuple[float, ...]] = {}
        for key in sorted({key for run in runs for key in run}):
            if key.startswith("family.") and key.endswith(_QUANTITY):
                family = key.removeprefix("family.").removesuffix(_QUANTITY)
                values[family] = tuple(run[key] for run in runs if key in run)
        gathered.append(FamilySeries(name, shape, values))
    first = gathered[0].values if gathered else {}
    names = sorted({family for one in gathered for family in one.values})
    names.sort(key=lambda family: sum(first.get(family, ())) / max(len(first.get(family, ())), 1))
    return FamiliesInfo(tuple(names), tuple(gathered), frozenset(held_out))


def draw_families(info: FamiliesInfo) -> go.Figure:
    """One row per family; symbols are means over seeds, bars reach from the lowest to the highest seed."""
    traces = []
    step = 0.66 / max(len(info.series), 1)
    looks = series_looks({one.name: one.shape for one in info.series})
    for index, one in enumerate(info.series):
        look = looks[one.name]
        rows = [(place, one.values[family]) for place, family in enumerate(info.families) if one.values.get(family)]
        means = [sum(values) / len(values) for _, values in rows]
        traces.append(
            go.Scatter(
                x=means,
                y=[place + 0.33 - step * (index + 0.5) for place, _ in rows],
                mode="markers",
                name=plain(one.name),
                marker={
                    "symbol": look.symbol,
                    "color": look.colour,
                    "size": 10,
                    "line": {"width": 2 if "-open" in look.symbol else 0},
                },
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [max(values) - mean for (_, values), mean in zip(rows, means, strict=True)],
                    "arrayminus": [mean - min(values) for (_, values), mean in zip(rows, means, strict=True)],
                    "color": look.colour,
                    "thickness": 1.6,
                    "width": 3,
                },
                text=[
                    f"{plain(one.name)}, {plain(info.families[place])}: {number(mean, 3)}"
                    for (place, _), mean in zip(rows, means, strict=True)
                ],
                hoverinfo="text",
            )
        )
    height = 120 + max(34, 15 * len(info.series)) * len(info.families)
    drawn = figure(traces, x="pixel average precision of the family", y="", height=height, showlegend=True)
    labels = [plain(f) + (" (held out)" if f in info.held_out else "") for f in info.families]
    return drawn.update_yaxes(
        tickvals=list(range(len(labels))), ticktext=labels, range=[-0.6, len(labels) - 0.4], showgrid=False
    ).update_xaxes(rangemode="tozero")
