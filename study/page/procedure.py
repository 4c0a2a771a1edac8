"""The procedure in words: what was tried, how it was judged, who wins, and what the test has seen."""

from study.page.html import Html, paragraphs, tag
from study.page.replicated import families_held_out
from study.page.words import capital, count, series
from study.recorded_space import arms_of
from study.records import StudyRecord
from study.space import Space


def procedure(record: StudyRecord) -> Html:
    """From the first trial to the test, step by step."""
    if record.compares_arms:
        return _comparison(record)
    if record.space is None:
        return paragraphs("The recorded search space cannot be read by this version, so its plan is not told here.")
    plan = record.space.study
    stop = (
        f"Asynchronous successive halving stops trials from epoch {plan.grace} on and lets one in {plan.reduction} go "
        f"on from each rung."
        if plan.reduction > 1
        else "No trial is stopped early."
    )
    first = (
        "The preset's own configuration is the first trial."
        if record.space.values_of(record.space.base()) is not None
        else "The preset's own configuration lies outside the space, so it is not among the trials."
    )
    best = "configuration" if plan.top == 1 else f"{plan.top} configurations"
    held = families_held_out(record)
    families = f" Its held-out families are {series(held)}: no trial may train on anything like them." if held else ""
    return tag(
        "ol",
        *(
            tag("li", words)
            for words in (
                f"{count(record.planned, 'configuration')} are tried over {count(len(record.space.space), 'setting')}, "
                f"suggested by TPE, each trained for up to {count(record.epochs, 'epoch')} under seed {plan.seed}. "
                f"{first} {stop}",
                f"Every trial is scored by {record.objective_text}. The probe is made of lesion-free slices "
                f"of subjects that no trial trains on, with pseudo-outliers that no setting can move.{families}",
                f"The best {best}, full-budget trials first, and the preset's own choice are "
                f"trained again under {plan.seeds} fresh seeds. The highest mean wins; it is called clear when the "
                "95 % interval of its paired difference to each of the others lies above 0.",
                "How a map becomes a slice's score is chosen on the probe as well: the score with the highest AUROC.",
                f"{_testing(record)} {_beside(record.space)}{_same(record)}",
            )
        ),
    )


def _testing(record: StudyRecord) -> str:
    if record.definition.test is None:
        return "The study names no test table, so the choice is not tested."
    return f"Only then may the test table be opened; {openings(record)}."


def openings(record: StudyRecord) -> str:
    """How often the test table was opened, as the retraining recorded it."""
    test = (record.evaluation or {}).get("test")
    if not test:
        return "this study has not opened it yet"
    opened = test.get("opened", 1)
    return f"this study opened it {'once' if opened == 1 else f'{opened} times'}"


def _beside(space: Space) -> str:
    """What the winner is compared with, by how each control is made."""
    floor = "the floor, which needs no training"
    base = [name for name, values in space.controls.items() if values == "base"]
    varied = [name for name in space.controls if name not in base]
    parts = [f"{series(varied)} (the winner with what the space sets under [controls])"] if varied else []
    if base:
        parts.append(f"{series(base)} (the preset with the space's [fixed] values, whatever was searched)")
    if not parts:
        return f"Beside the winner stands {floor}."
    return f"Beside the winner stand {floor}, and its controls, under the same seeds: {'; '.join(parts)}."


def _same(record: StudyRecord) -> str:
    """Controls that are the winner itself: they are not trained, and have no row of their own."""
    best = record.best or {"controls": {}}
    same = [name for name, config in best["controls"].items() if config == best["config"]]
    return f" {capital(series(same))} would be the winner itself, so there is no such row." if same else ""


def _comparison(record: StudyRecord) -> Html:
    """Of an ablation."""
    arms = arms_of(record.definition)
    held = families_held_out(record)
    steps = [
        f"{count(len(arms), 'arm')}, {series(list(arms))}, differ only in the settings that each names. Each is "
        "trained in full under the same fresh seeds; no training is stopped early.",
        f"Every training is scored by {record.objective_text}. The probe is made of lesion-free slices of "
        "subjects that no arm trains on, with pseudo-outliers that no setting can move. Its families that count are "
        f"{series(held)}: no arm may train on anything like them.",
        "Differences are paired seed by seed and corrected by Holm for the number of pairs.",
        _testing(record),
    ]
    searching = [name for name, arm in arms.items() if "space" in arm]
    if searching:
        steps.insert(1, f"Before that, {series(searching)} search their own settings, with the same number of trials.")
        found = (record.ablation or {}).get("arms", {})
        told = [
            f"{name} by {series(found[name]['searched_by'])}"
            for name in searching
            if found.get(name, {}).get("searched_by")
        ]
        if told:
            steps.insert(
                2,
                f"An arm's own search is judged by all families unlike what that arm may train on: {'; '.join(told)}.",
            )
    return tag("ol", *(tag("li", words) for words in steps))
