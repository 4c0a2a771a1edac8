"""Replicates: the best configurations under fresh seeds, every seed a point, and their paired differences."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from core.intervals import Interval, mean_interval, paired_difference
from study.figures.style import ACCENT, GREY, Look, figure, look_of, number, reach, shape_name
from study.records import TrialRecord


class Replicated(NamedTuple):
    """One configuration: objective by seed and the interval of its mean, None with fewer than two seeds."""

    trial: int
    shape: str
    values: dict[int, float]
    interval: Interval | None


class Difference(NamedTuple):
    """The leader minus another configuration under common seeds."""

    trial: int
    shape: str
    values: dict[int, float]
    interval: Interval


class ReplicatesInfo(NamedTuple):
    """configurations: best mean first. differences: of the first to each other. unfinished: trainings not done."""

    configurations: tuple[Replicated, ...]
    differences: tuple[Difference, ...]
    unfinished: int


def replicates_info(replicates: Sequence[TrialRecord]) -> ReplicatesInfo:
    """Gather what has finished so far. Each replicate has the parameters `trial` and `seed`."""
    values: dict[int, dict[int, float]] = {}
    shapes: dict[int, str] = {}
    for record in replicates:
        if record.state == TrialState.COMPLETE and record.value is not None and "trial" in record.params:
            values.setdefault(record.params["trial"], {})[record.params["seed"]] = record.value
            shapes[record.params["trial"]] = record.shape
    found = [
        Replicated(trial, shapes[trial], by_seed, _interval(list(by_seed.values())))
        for trial, by_seed in values.items()
    ]
    found.sort(key=lambda one: (-len(one.values), -sum(one.values.values()) / len(one.values), one.trial))
    differences = []
    for other in found[1:]:
        seeds = sorted(set(found[0].values) & set(other.values))
        if len(seeds) >= 2:
            first, second = [found[0].values[s] for s in seeds], [other.values[s] for s in seeds]
            by_seed = {seed: a - b for seed, a, b in zip(seeds, first, second, strict=True)}
            differences.append(Difference(other.trial, other.shape, by_seed, paired_difference(first, second)))
    unfinished = sum(not record.state.is_finished() for record in replicates)
    return ReplicatesInfo(tuple(found), tuple(differences), unfinished)


def draw_replicates(info: ReplicatesInfo, objective: str) -> go.Figure:
    """Hollow symbols are seeds, thin lines join the same seed, the bar is the mean with its interval."""
    rows = list(reversed(info.configurations))
    traces: list[go.Scatter] = []
    for seed in sorted({seed for one in rows for seed in one.values}):
        joined = [(one.values[seed], row) for row, one in enumerate(rows) if seed in one.values]
        traces.append(
            go.Scatter(
                x=[x for x, _ in joined], y=[row for _, row in joined], mode="lines", hoverinfo="skip",
                line={"color": GREY, "width": 1, "dash": "dot"}, opacity=0.6, showlegend=False,
            )
        )  # fmt: skip
    for row, one in enumerate(rows):
        look = look_of(one.shape)
        traces.append(
            go.Scatter(
                x=list(one.values.values()), y=[row] * len(one.values), mode="markers", showlegend=False,
                marker={"symbol": f"{look.symbol}-open", "color": look.colour, "size": 10, "line": {"width": 2}},
                customdata=[one.trial] * len(one.values),
                text=[f"trial {one.trial}, seed {seed}: {number(value)}" for seed, value in one.values.items()],
                hoverinfo="text",
            )
        )  # fmt: skip
        traces += _bar(one.interval, row - 0.24, look, f"trial {one.trial}, mean")
    drawn = figure(traces, x=objective, y="", height=130 + 74 * len(rows), showlegend=False)
    labels = [f"trial {one.trial} ({shape_name(one.shape)})" for one in rows]
    return drawn.update_yaxes(tickvals=list(range(len(rows))), ticktext=labels, range=[-0.6, len(rows) - 0.5])


def draw_differences(info: ReplicatesInfo, objective: str) -> go.Figure:
    """The leader minus each other configuration, seed by seed; right of 0 the leader is better."""
    rows = list(reversed(info.differences))
    leader = info.configurations[0].trial
    traces: list[go.Scatter] = []
    for row, one in enumerate(rows):
        text = [f"seed {seed}: {value:+.4f}" for seed, value in one.values.items()]
        traces.append(
            go.Scatter(
                x=list(one.values.values()), y=[row] * len(one.values), mode="markers", showlegend=False,
                marker={"symbol": "circle-open", "color": GREY, "size": 9, "line": {"width": 2}},
                text=text, hoverinfo="text",
            )
        )  # fmt: skip
        traces += _bar(one.interval, row - 0.24, Look(ACCENT, "diamond"), f"{leader} − {one.trial}")
    title = f"trial {leader} minus the other, {objective}"
    drawn = figure(traces, x=title, y="", height=130 + 66 * len(rows), showlegend=False)
    drawn.add_vline(x=0, line={"color": GREY, "width": 1.5, "dash": "dash"})
    labels = [f"{leader} − {one.trial} ({shape_name(one.shape)})" for one in rows]
    return drawn.update_yaxes(tickvals=list(range(len(rows))), ticktext=labels, range=[-0.6, len(rows) - 0.5])


def _bar(interval: Interval | None, row: float, look: Look, name: str) -> list[go.Scatter]:
    if interval is None:
        return []
    text = f"{name} {number(interval.estimate)} [{number(interval.low)}, {number(interval.high)}]"
    marker = {"symbol": look.symbol, "color": look.colour, "size": 13}
    spread = reach(interval.estimate, interval.low, interval.high, look.colour)
    return [
        go.Scatter(
            x=[interval.estimate], y=[row], mode="markers", marker=marker, error_x=spread, text=[text],
            hoverinfo="text", showlegend=False,
        )
    ]  # fmt: skip


def _interval(values: list[float]) -> Interval | None:
    return mean_interval(values) if len(values) >= 2 else None
