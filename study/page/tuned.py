"""What each arm of an ablation found when it searched settings of its own."""

from optuna.trial import TrialState

from study.page.html import Child, Html, details, join, paragraphs, table, tag
from study.page.words import STATES, count, figure, series, settings
from study.records import StudyRecord, TrialRecord, best_first


def own_searches(record: StudyRecord) -> Html:
    """A row for each arm, and its trials folded below; nothing where no arm searched."""
    if not record.arm_searches:
        return Html("")
    judges = {name: arm.get("searched_by") for name, arm in (record.ablation or {}).get("arms", {}).items()}
    head = ("arm", "judged by", "trials", "the preset's own", "best", "worst")
    rows: list[list[Child]] = []
    for name, trials in record.arm_searches.items():
        full = [trial.value for trial in trials if trial.state == TrialState.COMPLETE and trial.value is not None]
        first = next((trial.value for trial in trials if trial.is_base), None)
        best, worst = (max(full), min(full)) if full else (None, None)
        by = series(judges[name]) if judges.get(name) else "–"
        rows.append([name, by, len(trials), figure(first, 4), figure(best, 4), figure(worst, 4)])
    return join(
        tag("h3", "What each arm's own search found"),
        paragraphs(
            "Every arm had the same number of trials, each in full under one seed; the best went on to the comparison. "
            "Its value here flatters it, as the best of several does; the comparison's fresh seeds do not. Arms that "
            "were judged by different families cannot be compared here."
        ),
        table(head, rows, words=2),
        *(_trials(name, trials) for name, trials in record.arm_searches.items()),
    )


def _trials(name: str, trials: tuple[TrialRecord, ...]) -> Html:
    ranked = best_first(trials)
    ordered = [*ranked, *(trial for trial in trials if trial.value is None)]
    rows: list[list[Child]] = [
        [
            str(trial.number), settings(trial.params), _ended(trial), figure(trial.value, 4),
        ]
        for trial in ordered
    ]  # fmt: skip
    return details(
        f"{name}: {count(len(trials), 'trial')}", table(("trial", "settings", "ended", "objective"), rows, words=3)
    )


def _ended(trial: TrialRecord) -> str:
    own = ", the preset's own" if trial.is_base else ""
    return f"{STATES[trial.state]}{own}{f': {trial.reason}' if trial.reason else ''}"
