"""Epochs of a study: spent on trials that reached the full budget, on those that did not, and saved by stopping."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from study.figures.style import ACCENT, GREY, PALE, SHAPES, figure, plain
from study.records import TrialRecord

_LEAST = 0.04  # of the longest bar: a number has no room in less


class EpochsSpent(NamedTuple):
    """Epochs of one phase by how its trainings ended. saved: what early stopping left out of the full budgets."""

    phase: str
    full: int
    stopped: int
    failed: int
    unfinished: int
    saved: int

    @property
    def spent(self) -> int:
        """All that were trained."""
        return self.full + self.stopped + self.failed + self.unfinished


class EpochsInfo(NamedTuple):
    """phases: those in which any training began."""

    phases: tuple[EpochsSpent, ...]


def epochs_info(phases: Mapping[str, Sequence[TrialRecord]], budget: int) -> EpochsInfo:
    """Count epochs by phase and end."""
    found = []
    for phase, trials in phases.items():
        if all(trial.state == TrialState.WAITING for trial in trials):
            continue
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING)
        full, stopped, failed, unfinished = (sum(t.epochs for t in trials if t.state == state) for state in states)
        saved = sum(budget - trial.epochs for trial in trials if trial.state == TrialState.PRUNED)
        found.append(EpochsSpent(phase, full, stopped, failed, unfinished, max(saved, 0)))
    return EpochsInfo(tuple(found))


def draw_epochs(info: EpochsInfo) -> go.Figure:
    """One bar per phase; what early stopping saved is the pale end."""
    looks = {
        "full": ("reached the full budget", SHAPES["brush"].colour, ""),
        "stopped": ("stopped early", SHAPES["circle"].colour, "/"),
        "failed": ("failed", ACCENT, "x"),
        "unfinished": ("unfinished", GREY, "."),
        "saved": ("saved by stopping early", PALE, ""),
    }
    rows = list(reversed(info.phases))
    traces = [
        go.Bar(
            x=[getattr(row, part) for row in rows], y=[plain(row.phase) for row in rows], orientation="h", name=name,
            marker={"color": colour, "pattern": {"shape": pattern, "size": 7, "solidity": 0.2}},
            hovertemplate=f"%{{y}}: %{{x}} epochs, {name}<extra></extra>",
        )
        for part, (name, colour, pattern) in looks.items()
        if any(getattr(row, part) for row in rows)
    ]  # fmt: skip
    drawn = figure(traces, x="epochs", y="", height=140 + 44 * len(rows), showlegend=True, barmode="stack")
    longest = max(row.spent + row.saved for row in rows)
    for row in rows:
        left = 0
        for part in looks:
            epochs = getattr(row, part)
            if epochs >= _LEAST * longest:
                # Of the page's ink but on the dark bars, for it must be read on white and on black.
                font = {"color": "#ffffff"} if part == "full" else {}
                at = {"x": left + epochs / 2, "y": plain(row.phase), "showarrow": False, "font": font}
                drawn.add_annotation(text=str(epochs), **at)
            left += epochs
    return drawn.update_layout(bargap=0.3, legend_traceorder="normal").update_yaxes(showgrid=False)
