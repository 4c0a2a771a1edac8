"""Arms of an ablation: every seed a point, means with intervals, and their paired differences to the best."""

from typing import Any, NamedTuple

import plotly.graph_objects as go

from study.figures.style import ACCENT, GREY, SERIES, SHAPES, Look, figure, number, plain, reach

_NO_SHAPE = Look(SERIES[0], "circle")  # the rows name the arms: colours of their own would say nothing


class ArmShown(NamedTuple):
    """One arm: objective under each common seed, and (mean, low, high)."""

    name: str
    values: tuple[float, ...]
    mean: tuple[float, float, float]


class Gap(NamedTuple):
    """The best arm minus another, and whether they are apart after Holm's correction."""

    against: str
    values: tuple[float, ...]
    mean: tuple[float, float, float]
    apart: bool


class ArmsInfo(NamedTuple):
    """arms: best mean first. gaps: of the best to each other, in the same order."""

    seeds: tuple[int, ...]
    arms: tuple[ArmShown, ...]
    gaps: tuple[Gap, ...]


def arms_info(ablation: dict[str, Any]) -> ArmsInfo:
    """From ablation.json."""
    arms = [ArmShown(name, tuple(arm["values"]), _bounds(arm["interval"])) for name, arm in ablation["arms"].items()]
    arms.sort(key=lambda arm: -arm.mean[0])
    best = arms[0]
    pairs = {(pair["first"], pair["second"]): pair for pair in ablation["pairs"]}
    gaps = []
    for other in arms[1:]:
        pair = pairs[best.name, other.name]
        values = tuple(a - b for a, b in zip(best.values, other.values, strict=True))
        gaps.append(Gap(other.name, values, _bounds(pair["difference"]), pair["apart"]))
    return ArmsInfo(tuple(ablation["seeds"]), tuple(arms), tuple(gaps))


def draw_arms(info: ArmsInfo, objective: str, floor: tuple[str, float] | None) -> go.Figure:
    """Hollow symbols are seeds, bars are means with 95 % intervals. floor: a score without training, and its value."""
    rows = [(arm.name, arm.values, arm.mean, SHAPES.get(arm.name, _NO_SHAPE)) for arm in reversed(info.arms)]
    drawn = _rows(rows, info.seeds, objective)
    if floor:
        line = {"color": GREY, "width": 1.5, "dash": "dash"}
        drawn.add_vline(x=floor[1], line=line, annotation_text=plain(floor[0]), annotation_position="top")
    return drawn


def draw_gaps(info: ArmsInfo, objective: str) -> go.Figure:
    """The best arm minus each other; right of 0 the best is better. Means are filled and coloured where apart."""
    best = info.arms[0].name
    rows = [
        (
            f"{best} − {gap.against}",
            gap.values,
            gap.mean,
            Look(ACCENT, "diamond") if gap.apart else Look(GREY, "diamond-open"),
        )
        for gap in reversed(info.gaps)
    ]
    drawn = _rows(rows, info.seeds, f"{best} minus the other, {objective}")
    return drawn.add_vline(x=0, line={"color": GREY, "width": 1.5, "dash": "dash"})


def _rows(
    rows: list[tuple[str, tuple[float, ...], tuple[float, float, float], Look]], seeds: tuple[int, ...], x: str
) -> go.Figure:
    traces = []
    for row, (name, values, (mean, low, high), look) in enumerate(rows):
        traces.append(
            go.Scatter(
                x=list(values), y=[row] * len(values), mode="markers", showlegend=False, hoverinfo="text",
                marker={
                    "symbol": f"{look.symbol.removesuffix('-open')}-open", "color": look.colour, "size": 9,
                    "line": {"width": 2},
                },
                text=[f"{name}, seed {seed}: {value:.4f}" for seed, value in zip(seeds, values, strict=True)],
            )
        )  # fmt: skip
        traces.append(
            go.Scatter(
                x=[mean], y=[row - 0.26], mode="markers", showlegend=False, hoverinfo="text",
                marker={
                    "symbol": look.symbol, "color": look.colour, "size": 13,
                    "line": {"width": 2 if look.symbol.endswith("-open") else 0},
                },
                error_x=reach(mean, low, high, look.colour),
                text=[f"{name}, mean {number(mean)} [{number(low)}, {number(high)}]"],
            )
        )  # fmt: skip
    drawn = figure(traces, x=x, y="", height=130 + 62 * len(rows), showlegend=False)
    labels = [name for name, *_ in rows]
    return drawn.update_yaxes(tickvals=list(range(len(rows))), ticktext=labels, range=[-0.6, len(rows) - 0.5])


def _bounds(interval: dict[str, Any]) -> tuple[float, float, float]:
    return float(interval["estimate"]), float(interval["low"]), float(interval["high"])
