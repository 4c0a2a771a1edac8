"""Which parameters mattered: PED-ANOVA on full-budget values, and on those of the first rung, where every trial counts.

PED-ANOVA (Watanabe et al. 2023) asks which parameters set the best trials apart from the rest. It sees complete trials
only, and early stopping leaves few of those, mostly good ones; the first rung compares all trials, but at a low budget.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import optuna
import plotly.graph_objects as go
from optuna.trial import TrialState, create_trial
from plotly.subplots import make_subplots

from study.figures.style import GREY, SHAPES, dress, plain
from study.records import TrialRecord

LEAST = 6  # below this, the best tenth is one trial and the rest a handful
SOLID = 30


class ImportanceInfo(NamedTuple):
    """shares: (parameter, share of 1), largest first; empty when there are too few trials. trials: how many were used.

    about: which values were explained. doubt: what to keep in mind, '' when there is nothing.
    """

    about: str
    trials: int
    shares: tuple[tuple[str, float], ...]
    doubt: str


def importance_info(trials: Sequence[TrialRecord], epoch: int | None = None) -> ImportanceInfo:
    """Importances for the value at full budget, or for that at one epoch over every trial that reached it."""
    if epoch is None:
        about = "full budget"
        used = [(trial, trial.value) for trial in trials if trial.state == TrialState.COMPLETE]
    else:
        about = f"first rung, epoch {epoch}"
        used = [(trial, trial.curve.get(epoch)) for trial in trials]
    scored = [(trial, value) for trial, value in used if value is not None and trial.params]
    if len(scored) < LEAST:
        few = "1 trial is" if len(scored) == 1 else f"{len(scored)} trials are"
        return ImportanceInfo(about, len(scored), (), f"{few} too few, {LEAST} are needed")
    doubt = f"{len(scored)} trials: a hint, not a finding" if len(scored) < SOLID else ""
    return ImportanceInfo(about, len(scored), _shares(scored), doubt)


def _shares(scored: Sequence[tuple[TrialRecord, float]]) -> tuple[tuple[str, float], ...]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.add_trials([create_trial(params=t.params, distributions=t.distributions, value=value) for t, value in scored])
    # At least two trials must count as the best, or one parameter's accident would decide.
    best = max(0.1, 2 / len(scored))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=best)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return tuple(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def draw_importance(infos: Sequence[ImportanceInfo]) -> go.Figure:
    """Bars side by side, one panel per target, parameters in the order of the last panel, which has most trials."""
    shown = [info for info in infos if info.shares]
    order = [name for name, _ in reversed(shown[-1].shares)]
    order = [*(n for info in shown for n, _ in info.shares if n not in order), *order]
    titles = [f"{info.about} ({info.trials} trials)" for info in shown]
    drawn = make_subplots(1, len(shown), shared_yaxes=True, horizontal_spacing=0.05, subplot_titles=titles)
    for column, info in enumerate(shown, 1):
        shares = dict(info.shares)
        names = [name for name in dict.fromkeys(order) if name in shares]
        drawn.add_trace(
            go.Bar(
                x=[shares[name] for name in names],
                y=[plain(name) for name in names],
                orientation="h",
                marker={"color": SHAPES["brush"].colour if info is shown[-1] else GREY},
                text=[f"{shares[name]:.0%}" for name in names],
                textposition="outside",
                cliponaxis=False,
                hoverinfo="skip",
            ),
            1,
            column,
        )
    height = 120 + 26 * len(dict.fromkeys(order))
    dress(drawn, x="share of importance", y="", height=height, showlegend=False)
    return drawn.update_xaxes(tickformat=".0%", rangemode="tozero")
