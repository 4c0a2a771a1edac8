"""Trainings on nodes over time: what ran where and when, and how much of the slots' time was spent on training."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from study.figures.style import ACCENT, GREY, SERIES, figure, look_of, plain, shape_name
from study.records import TrialRecord

SEARCH = "search"
_ARMS = "searches of arms"
UNKNOWN = "node not recorded"
_TALLEST = 900  # pixels of the figure: more lanes than fit become thinner


class Span(NamedTuple):
    """One training on the clock of the driver. start, end: seconds since the first began. lane: within its node.

    worked: seconds of training and scoring in it; the rest was starting, loading, or an interruption.
    """

    phase: str
    number: int
    shape: str
    state: TrialState
    node: str
    lane: int
    start: float
    end: float
    worked: float


class TimelineInfo(NamedTuple):
    """spans: by start. lanes: (node, how many ran there at once). began: when the first training did.

    wall: seconds from the first start to the last end. active: of these, seconds in which any training ran. slots: the
    most trainings that ran at once.
    """

    spans: tuple[Span, ...]
    lanes: tuple[tuple[str, int], ...]
    began: datetime | None
    wall: float
    active: float
    slots: int

    @property
    def occupied(self) -> float:
        """Share of the slots' active time in which a training had the slot, 0 to 1."""
        return self._share(sum(span.end - span.start for span in self.spans))

    @property
    def busy(self) -> float:
        """Share of the slots' active time that was training and scoring, 0 to 1."""
        return self._share(sum(min(span.worked, span.end - span.start) for span in self.spans))

    def _share(self, seconds: float) -> float:
        return min(seconds / (self.slots * self.active), 1.0) if self.slots and self.active else 0.0


def timeline_info(phases: Mapping[str, Sequence[TrialRecord]]) -> TimelineInfo:
    """Place every training that has begun on its node. One that still runs reaches to the newest event of any."""
    begun = [(phase, trial) for phase, trials in phases.items() for trial in trials if trial.started is not None]
    starts = [trial.started for _, trial in begun if trial.started is not None]
    if not starts:
        return TimelineInfo((), (), None, 0.0, 0.0, 0)
    began = min(starts)
    latest = max([*starts, *(trial.ended for _, trial in begun if trial.ended is not None)])
    placed: list[Span] = []
    free: dict[str, list[float]] = {}
    for phase, trial in sorted(begun, key=lambda one: (one[1].started or began, one[0], one[1].number)):
        start = ((trial.started or began) - began).total_seconds()
        # The clock may have been set back while the training ran.
        end = max(((trial.ended or latest) - began).total_seconds(), start)
        node = trial.node or UNKNOWN
        lanes = free.setdefault(node, [])
        lane = next((index for index, until in enumerate(lanes) if until <= start), len(lanes))
        lanes[lane : lane + 1] = [end]
        placed.append(Span(phase, trial.number, trial.shape, trial.state, node, lane, start, end, trial.seconds))
    wall = max(span.end for span in placed)
    counted = tuple((node, len(lanes)) for node, lanes in sorted(free.items()))
    return TimelineInfo(tuple(placed), counted, began, wall, *_overlap(placed))


def draw_timeline(info: TimelineInfo) -> go.Figure:
    """One bar per training, one row per slot; stopped trials are pale, replicates and arms' trainings grey."""
    unit, seconds = ("minutes", 60.0) if info.wall < 7200 else ("hours", 3600.0)
    rows = {(node, lane): 0 for node, lanes in info.lanes for lane in range(lanes)}
    rows = {key: len(rows) - 1 - index for index, key in enumerate(rows)}  # the first at the top
    height = min(150 + 30 * len(rows), _TALLEST)
    thick = max(3.0, min(18.0, 0.6 * (height - 120) / max(len(rows), 1)))
    traces = []
    for kind in sorted({_kind(span) for span in info.spans}, key=lambda kind: (kind[0] != SEARCH, kind)):
        x: list[float | None] = []
        y: list[float | None] = []
        text: list[str | None] = []
        numbers: list[int | None] = []
        for span in (span for span in info.spans if _kind(span) == kind):
            start, end, row = span.start / seconds, span.end / seconds, rows[span.node, span.lane]
            x += [start, (start + end) / 2, end, None]
            y += [row, row, row, None]
            text += [_told(span, unit, seconds)] * 3 + [None]
            numbers += [span.number if span.phase == SEARCH else None] * 3 + [None]
        phase, shape, state = kind
        pale = 0.45 if state in ("stopped early", "unfinished") else 1.0
        of_phase = look_of(shape).colour if phase == SEARCH else SERIES[0] if phase == _ARMS else GREY
        colour = ACCENT if state == "failed" else of_phase
        name = f"{shape_name(shape)}, {state}" if phase == SEARCH else f"{plain(phase)}, {state}"
        traces.append(
            go.Scatter(
                x=x, y=y, text=text, customdata=numbers, mode="lines", name=name, opacity=pale, hoverinfo="text",
                line={"color": colour, "width": thick}, connectgaps=False,
            )
        )  # fmt: skip
    drawn = figure(traces, x=f"{unit} since the first training began", y="", height=height, showlegend=True)
    labels = {row: plain(node) if lane == 0 else "" for (node, lane), row in rows.items()}
    drawn.update_yaxes(
        tickvals=list(labels), ticktext=list(labels.values()), range=[-0.7, len(rows) - 0.3], showgrid=False
    )
    return drawn.update_xaxes(rangemode="tozero")


_ENDS = {
    TrialState.COMPLETE: "full budget",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
}


def _kind(span: Span) -> tuple[str, str, str]:
    """Phase, shape and end: what share one look. Outside the search, shapes share one, and so do arms' searches."""
    end = _ENDS.get(span.state, "unfinished")
    if span.phase == SEARCH:
        return span.phase, span.shape, end
    return _ARMS if span.phase.startswith(f"{SEARCH} of ") else span.phase, "", end


def _told(span: Span, unit: str, seconds: float) -> str:
    name = "trial" if span.phase == SEARCH else plain(span.phase)
    long, worked = (span.end - span.start) / seconds, span.worked / seconds
    return f"{name} {span.number} on {plain(span.node)}: {long:.2g} {unit}, {worked:.2g} of them training and scoring"


def _overlap(spans: Sequence[Span]) -> tuple[float, int]:
    """Seconds in which any of them ran, and the most that ran at once."""
    changes = sorted([(span.start, 1) for span in spans] + [(span.end, -1) for span in spans])
    active, running, most, since = 0.0, 0, 0, 0.0
    for at, change in changes:
        active += (at - since) if running else 0.0
        running, since = running + change, at
        most = max(most, running)
    return active, max(most, 1)
