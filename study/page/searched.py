"""How was it found: history, learning curves, rungs, importance, slices, contour, all settings, the best trials."""

from collections.abc import Sequence

from optuna.trial import TrialState

from core.config import differences, flatten, from_dict
from core.errors import BadConfig
from study.figures.contour import contour_info, draw_contour
from study.figures.history import draw_history, history_info
from study.figures.importance import LEAST, draw_importance, importance_info
from study.figures.learning import draw_learning, learning_info
from study.figures.parallel import draw_parallel, parallel_info
from study.figures.rungs import draw_rungs, rungs_info
from study.figures.slices import draw_slices, slices_info
from study.figures.thinning import thinned
from study.page.html import Child, Html, Section, code, details, join, paragraphs, plot, table, tag
from study.page.trials import choice, trial_button
from study.page.words import STATES, count, duration, figure, percent, setting, settings
from study.records import StudyRecord, TrialRecord, best_first

SHOWN = 12


def searched_section(record: StudyRecord) -> Section:
    """Figures of the search; each is replaced by a sentence where there is nothing to draw."""
    title = "How it was found"
    if not any(trial.value is not None for trial in record.trials):
        words = "No trial was scored, so there is nothing to draw." if record.trials else "No trial has begun."
        return Section("search", "Search", title, paragraphs(words))
    best = winner_of(record)
    drawn = thinned(record.trials, keep=(best,))
    parts = (
        choice(record, best),
        _history(record),
        _learning(record, drawn, best),
        _rungs(record),
        _importance(record),
        _slices(record, drawn),
        _contour(record),
        _parallel(record, drawn, best),
    )
    return Section("search", "Search", title, join(*parts, _top(record, best)))


def winner_of(record: StudyRecord) -> int | None:
    """The winner by its trial's number; before there is one, the best at full budget."""
    if record.best is not None:
        return int(record.best["verdict"]["winner"])
    ranked = best_first(record.trials)
    return ranked[0].number if ranked and ranked[0].state == TrialState.COMPLETE else None


def _history(record: StudyRecord) -> Html:
    info = history_info(record.trials)
    words = ""
    if info.paper and info.best:
        number, value = info.best[-1]
        if info.paper.number == number:
            words = f"At full budget no trial of the search beat the preset's own configuration, trial {number}."
        else:
            words = (
                f"The preset's own configuration, trial {info.paper.number}, reached {info.paper.value:.4f}; "
                f"the best full-budget trial, {number}, reached {value:.4f}."
            )
    elif not info.paper:
        words = "The preset's own configuration is not among the trials: the space does not hold it, or it failed."
    return join(
        tag("h3", "History"),
        paragraphs(words),
        plot(
            draw_history(info, record.objective),
            name="history",
            alt=f"The objective of {len(info.points)} trials in the order of asking. {words}",
            caption="Filled symbols reached the full budget, hollow ones did not and show their last epoch."
            + (" Crosses at the foot failed." if info.failed else ""),
        ),
    )


def _some(record: StudyRecord, drawn: Sequence[TrialRecord]) -> str:
    """That a figure does not draw every trial; '' when it does."""
    scored = sum(trial.value is not None for trial in record.trials)
    if len(drawn) == scored:
        return ""
    return f" Drawn are {len(drawn):,} of {scored:,} trials: the best, every extreme, and others evenly spread."


def _learning(record: StudyRecord, drawn: Sequence[TrialRecord], best: int | None) -> Html:
    info = learning_info(drawn, record.epochs, best)
    stopped = sum(curve.stopped for curve in info.curves)
    return join(
        tag("h3", "Learning curves"),
        plot(
            draw_learning(info, record.objective),
            name="learning",
            alt=f"The objective after each epoch of {len(info.curves)} trials; {stopped} were stopped early.",
            caption="After every epoch a trial is scored on the probe. Stopped trials are pale and end in a cross."
            + _some(record, drawn),
        ),
    )


def _rungs(record: StudyRecord) -> Html:
    if record.space is None:
        return Html("")
    plan = record.space.study
    rungs = rungs_info(record.trials, plan.grace, plan.reduction, record.epochs)
    if not rungs:
        words = "Early stopping was off." if plan.reduction == 1 else "No trial has reached the first rung."
        return join(tag("h3", "Rungs"), paragraphs(words))
    return join(
        tag("h3", "Rungs"),
        paragraphs(
            f"At each rung a trial goes on if it is among the best one in {plan.reduction} of those that came so far "
            "(asynchronous successive halving). Early arrivals had fewer rivals, so some went on from below the bar, "
            "which is where the cut-off stands now."
        ),
        plot(
            draw_rungs(rungs, record.objective),
            name="rungs",
            alt="; ".join(f"epoch {r.epoch}: {len(r.members)} came, {r.stopped} were stopped" for r in rungs),
            caption="Filled symbols went on, hollow ones were stopped.",
        ),
    )


def _importance(record: StudyRecord) -> Html:
    infos = [importance_info(record.trials)]
    if record.space and record.space.study.reduction > 1:
        infos.append(importance_info(record.trials, record.space.study.grace))
    doubts = [f"{info.about.capitalize()}: {info.doubt}." for info in infos if info.doubt]
    shown = [info for info in infos if info.shares]
    stops = (
        " At full budget only trials that were never stopped count, which are few and mostly good; at the first rung "
        "every trial counts, but after little training."
    )
    words = paragraphs(
        f"Which settings set the best trials apart (PED-ANOVA).{stops if len(infos) > 1 else ''}", " ".join(doubts)
    )
    drawn = Html("")
    if shown:
        leaders = "; ".join(f"{info.about}: {info.shares[0][0]} {percent(info.shares[0][1])}" for info in shown)
        drawn = plot(
            draw_importance(shown),
            name="importance",
            alt=f"Shares of importance. {leaders}.",
            caption="Shares add up to 1 within a panel, also where nothing matters: by chance some setting leads, most "
            "often one that few trials have. A share says nothing of the direction.",
        )
    return join(tag("h3", "What mattered"), words, drawn)


def _slices(record: StudyRecord, drawn: Sequence[TrialRecord]) -> Html:
    info = slices_info(drawn)
    if not info.panels:
        return Html("")
    return join(
        tag("h3", "Each setting alone"),
        plot(
            draw_slices(info, record.objective),
            name="slices",
            alt=f"The objective against each of {len(info.panels)} parameters.",
            caption="The objective against each setting. Filled symbols reached the full budget; hollow ones did not "
            "and show their last epoch, so they lie lower for that reason too. All other settings differ as well: a "
            "slope is a hint, no effect." + _some(record, drawn),
        ),
    )


def _contour(record: StudyRecord) -> Html:
    plan = record.space.study if record.space else None
    info = contour_info(record.trials, plan.grace if plan and plan.reduction > 1 else None)
    title = tag("h3", "Two settings that mattered")
    if info.x is None or info.y is None:
        return join(title, paragraphs(f"They cannot be drawn against each other: {info.lacking}."))
    return join(
        title,
        plot(
            draw_contour(info, record.objective),
            name="contour",
            alt=f"The objective over {info.x.name} and {info.y.name} by {len(info.points)} trials, {info.about}.",
            caption=f"Of the pairs of numeric settings that at least {LEAST} trials have in common, the one that "
            f"mattered most. Values of the {info.about}, each point a trial, lighter is better. Between trials the "
            "value is interpolated, so it hides what no trial tried; all other settings differ as well.",
        ),
    )


def _parallel(record: StudyRecord, drawn: Sequence[TrialRecord], best: int | None) -> Html:
    info = parallel_info(drawn, record.objective, best)
    if not info.lines:
        return Html("")
    return join(
        tag("h3", "All settings at once"),
        plot(
            draw_parallel(info),
            name="parallel",
            alt=f"{len(info.lines)} trials as lines through {len(info.axes) - 1} parameters to the objective.",
            caption="One line per trial; those below full budget are pale and dotted, the winner is bold. A line dips "
            "below an axis whose setting it does not have." + _some(record, drawn),
        ),
    )


def _top(record: StudyRecord, best: int | None) -> Html:
    ranked = best_first(record.trials)[:SHOWN]
    base = record.space.base() if record.space else None
    rows: list[list[Child]] = []
    for trial in ranked:
        effective: Child = "–"
        if trial.config is not None:
            try:
                effective = settings(differences(from_dict(trial.config), base)) or "the base configuration"
            except BadConfig:
                effective = settings(flatten(trial.config))
        name = join(trial_button(trial.number), ", the preset's own" if trial.is_base else "")
        rows.append([name, trial.shape or "–", STATES[trial.state], effective, *_numbers(trial)])
    marked = [index for index, trial in enumerate(ranked) if trial.number == best]
    head = ("trial", "masks", "ended", "departs from the base in", "objective", "epochs", "time")
    left = len([t for t in record.trials if t.value is not None]) - len(ranked)
    more = f" {count(left, 'more trial')} in {record.folder.trials}." if left > 0 else ""
    shared = details("What all trials share: the space's base", settings_table(record)) if base else Html("")
    return join(
        tag("h3", "The best trials"),
        paragraphs(f"Full-budget trials first, then those that came furthest.{more}"),
        table(head, rows, words=4, marked=marked),
        shared,
    )


def settings_table(record: StudyRecord) -> Html:
    """The configuration from which all trials depart."""
    if record.space is None:
        return Html("")
    changed = differences(record.space.base())
    rows = [(code(path), setting(value)) for path, value in changed.items()]
    words = f"The {record.space.preset} preset, and these departures of the space from the paper:"
    return join(paragraphs(words), table(("setting", "value"), rows, words=2) if rows else paragraphs("none"))


def _numbers(trial: TrialRecord) -> list[Child]:
    return [figure(trial.value, 4), trial.epochs, duration(trial.seconds)]
