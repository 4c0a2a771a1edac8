"""What should I use, and how sure are we: the verdict in words, and what it cost."""

from typing import Any

from optuna.trial import TrialState

from core.config import Config, flatten, from_dict, to_dict
from core.errors import BadConfig
from study.figures.detectors import detectors_info, uses_outliers
from study.page.glossary import glossary
from study.page.html import Child, Html, Section, code, details, facts, join, paragraphs, table, tag
from study.page.spent import cost_in_words
from study.page.tested import beside_controls, result
from study.page.words import capital, count, floor_words, setting, snapshot, subjects_in_words
from study.records import StudyRecord

_BEFORE = (
    "An earlier version wrote this verdict: it compared the winner with the runner-up alone. Its lead over the others "
    "is shown below; the same search command decides anew."
)


def verdict_section(record: StudyRecord) -> Section:
    """The card at the top."""
    body = join(_card(record), paragraphs(cost_in_words(record)), glossary())
    return Section("verdict", "Verdict", "What to use, and how sure we are", body)


def headline(record: StudyRecord) -> tuple[str, str]:
    """The state of the study in a few words, and a class: good, open or bad."""
    best = record.best
    if best is not None:
        if len(best["replicates"]) < 2:
            return "Only one candidate", "open"
        if best["verdict"]["clear"] and _beside_runner_up_alone(best):
            return "Ahead of the runner-up", "open"
        return ("A clear winner", "good") if best["verdict"]["clear"] else ("No clear winner", "open")
    if record.running:
        return record.running, "open"
    if record.trials and not record.unfinished and not record.with_state(TrialState.COMPLETE):
        return "No verdict", "bad"
    return "Not decided yet", "open"


def _card(record: StudyRecord) -> Html:
    state, kind = headline(record)
    best = record.best
    parts: list[Child] = [tag("p", state, class_=f"badge {kind}")]
    if best is None:
        parts.append(paragraphs(_why_not(record)))
    else:
        verdict = best["verdict"]
        parts.append(tag("h3", f"Trial {verdict['winner']}: {kind_of(best['config'])}"))
        parts.append(tag("p", capital(verdict["sentence"]), class_="sentence"))
        if len(best["replicates"]) < 2:
            parts.append(paragraphs("With no second configuration to compare it with, this says nothing of a lead."))
        if _beside_runner_up_alone(best):
            parts.append(paragraphs(_BEFORE))
        if record.running and record.ended < len(record.trainings):
            parts.append(paragraphs(f"{record.running}: this verdict is of before. {snapshot(record.read)}"))
    parts.append(_tested(record))
    parts.append(_facts(record))
    if best is not None:
        parts.append(_departures(record, best))
    return tag("div", *parts, class_="card")


def kind_of(config: dict[str, Any]) -> str:
    """What a configuration is, in two words: its masks, or its method where that sees none."""
    if not uses_outliers(config):
        return str(config["detector"]["kind"])
    return f"{config.get('synthesis', {}).get('mask', {}).get('kind', '')} masks"


def _beside_runner_up_alone(best: dict[str, Any]) -> bool:
    """Whether further candidates had no say in what a verdict calls clear, as in files of before they had."""
    return "not_apart" not in best["verdict"] and len(best["replicates"]) > 2


def _why_not(record: StudyRecord) -> str:
    if record.running:
        return f"{record.running}: {_reached(record)}. {snapshot(record.read)}"
    if record.trials and not record.unfinished and not record.with_state(TrialState.COMPLETE):
        failed = len(record.with_state(TrialState.FAIL))
        if not failed:
            return "No trial reached its full budget: early stopping ended all of them."
        return f"No trial reached its full budget: {failed} failed, see Failures below for the reasons."
    return f"{capital(_reached(record))}; the same search command goes on where it stopped."


def _reached(record: StudyRecord) -> str:
    """How far a study without a verdict is."""
    if not record.trials:
        return "no trial has begun"
    begun, finished = len(record.trials), sum(trial.state.is_finished() for trial in record.trials)
    if finished < begun or (begun < record.planned and not record.replicates):
        return f"{finished} of {count(record.planned, 'trial')} have ended"
    if not record.replicates:
        return "the search has ended, no replicate has begun"
    done = sum(trial.state.is_finished() for trial in record.replicates)
    return f"the search has ended, {done} of {count(len(record.replicates), 'replicate')} have"


def _tested(record: StudyRecord) -> Html:
    """The test's figure, the floor and the controls, or why nothing is known of them."""
    if record.best is None:
        return Html("")
    if record.untested:
        return tag("p", record.untested, class_="sentence")
    beside = beside_controls(detectors_info(record.evaluation))
    return join(*(tag("p", words, class_="sentence") for words in (*result(record), beside) if words))


def _facts(record: StudyRecord) -> Html:
    best = record.best
    seeds = ""
    if record.space:
        fresh = ", ".join(map(str, record.space.study.replicate_seeds()))
        seeds = f"search under seed {record.space.study.seed}; replicates under {fresh}"
    score: Child = ""
    if best:
        chosen = best["verdict"]["score"]
        score = join(code(chosen), ", the best on the probe" + ("" if chosen != "mean" else "; it is the paper's"))
    shipped: Child = ""
    if record.evaluation:
        weights = record.folder.retrained / "model.safetensors"
        shipped = join(code(weights), f", seed {record.evaluation['shipped']['seed']}: highest objective on the probe")
    return facts(
        [
            ("Objective", record.objective_text),
            ("Subjects", subjects_in_words(best)),
            ("Floor", floor_words(record.floor)),
            ("Slice score", score),
            ("Seeds", seeds),
            ("Detector", shipped),
        ],
    )


def _departures(record: StudyRecord, best: dict[str, Any]) -> Html:
    paper = flatten(to_dict(Config()))
    searched = record.space.space if record.space else {}
    fixed = record.space.fixed if record.space else {}
    preset = flatten(to_dict(record.space.base())) if record.space else {}

    def origin(path: str) -> str:
        if path in searched:
            return "the preset, kept by the search" if best["differences"][path] == preset.get(path) else "the search"
        return "the space, [fixed]" if path in fixed else "selection on the probe" if path == "score" else "the preset"

    rows = [
        (code(path), setting(value), setting(paper[path]) if path in paper else "–", origin(path))
        for path, value in best["differences"].items()
    ]
    note = "Everything else is as the paper has it." if rows else "It is the paper's configuration, unchanged."
    head = ("setting", "here", "paper", "decided by")
    shown = table(head, rows, caption="Where it departs from the paper", words=4) if rows else Html("")
    return join(shown, paragraphs(note), details("The whole configuration", _whole(best["config"], paper)))


def _whole(config: dict[str, Any], paper: dict[str, Any]) -> Html:
    try:
        flat = flatten(to_dict(from_dict(config)))
    except BadConfig:  # written by another version; as it stands is better than nothing
        flat = flatten(config)
    rows = [(code(path), setting(value), setting(paper.get(path, "–"))) for path, value in flat.items()]
    marked = [index for index, (path, value) in enumerate(flat.items()) if paper.get(path) != value]
    return table(("setting", "here", "paper"), rows, words=3, marked=marked)
