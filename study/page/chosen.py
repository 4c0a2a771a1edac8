"""How was it chosen, and on whom: the procedure in words, the split audit, and what is needed to do it again."""

import json
import shlex
from pathlib import Path
from typing import Any

from core.errors import BadConfig, BadInput, StudyError
from core.slices.split import require_disjoint
from core.slices.table import SliceTable
from study.folder import Definition, TableReference, subjects_by_role
from study.page.downloads import downloads
from study.page.html import Child, Html, Section, block, code, details, facts, join, listing, paragraphs, table, tag
from study.page.replicated import families_held_out
from study.page.words import count, series
from study.records import StudyRecord, arms_of, settings_of, space_text
from study.space import read_space

_ROLES = {"train": "training", "probe": "the probe: every choice", "test": "the test, once, after the choice"}


def chosen_section(record: StudyRecord) -> Section:
    """The method and the evidence that nothing leaked."""
    parts = (
        _procedure(record),
        tag("h3", "Split audit"),
        audit(record),
        _again(record),
        downloads(record),
        _provenance(record),
    )
    return Section("choice", "Choice", "How it was chosen, and on whom", join(*parts))


def _procedure(record: StudyRecord) -> Html:
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
    held = families_held_out(record)
    families = f" Its held-out families are {series(held)}: no trial may train on anything like them." if held else ""
    controls = record.space.controls
    beside = (
        f"Beside the winner stand its controls {series(list(controls))}, which differ from it only in what the "
        "space sets under [controls], under the same seeds, and the floor, which needs no training."
        if controls
        else "Beside the winner stands the floor, which needs no training."
    )
    tried = max(plan.trials, len(record.trials))  # more than planned where the study was extended
    return tag(
        "ol",
        *(
            tag("li", words)
            for words in (
                f"{count(tried, 'configuration')} are tried over {count(len(record.space.space), 'setting')}, "
                f"suggested by TPE, each trained for up to {count(record.epochs, 'epoch')} under seed {plan.seed}. "
                f"{first} {stop}",
                f"Every trial is scored by {record.objective_text}. The probe is made of healthy subjects "
                f"that no trial trains on, with pseudo-outliers that no setting can move.{families}",
                f"The best {plan.top} configurations, full-budget trials first, and the preset's own choice are "
                f"trained again under {plan.seeds} fresh seeds. The highest mean wins; it is called clear when the "
                "95 % interval of its paired difference to the runner-up lies above 0.",
                "How a map becomes a slice's score is chosen on the probe as well: the score with the highest AUROC.",
                f"Only then is the test table opened, once. {beside}",
            )
        ),
    )


def _comparison(record: StudyRecord) -> Html:
    """Of an ablation."""
    arms = arms_of(record.definition)
    held = families_held_out(record)
    steps = [
        f"{count(len(arms), 'arm')}, {series(list(arms))}, differ in what they name alone. Each is trained in full "
        "under the same fresh seeds; no training is stopped early.",
        f"Every training is scored by {record.objective_text}. The probe is made of healthy subjects that no arm "
        f"trains on, with pseudo-outliers that no setting can move. Its families that count are {series(held)}: no arm "
        "may train on anything like them.",
        "Differences are paired seed by seed and corrected by Holm for the number of pairs.",
        "Only then is the test table opened, once, for all arms.",
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


def audit(record: StudyRecord) -> Html:
    """Subjects by role, whether they meet, and whether the tables are still those of the study."""
    references = {"train": record.definition.train, "probe": record.definition.probe, "test": record.definition.test}
    rows: list[list[Child]] = []
    opened: dict[str, SliceTable] = {}
    for role, reference in references.items():
        if reference is None:
            rows.append([role, "–", "–", "none was given", "–", "–"])
            continue
        found, state = _opened(reference)
        if found is not None:
            opened[role] = found
        slices = f"{len(found):,}" if found is not None else "–"
        rows.append([role, code(reference.digest), code(reference.path), state, "", slices])
    subjects = _subjects(record, opened)
    for row in rows:
        row[4] = str(len(subjects[str(row[0])])) if str(row[0]) in subjects else "–"
    head = ("role", "digest", "place", "now", "subjects", "slices")
    return join(
        paragraphs(_disjoint(subjects)),
        table(head, rows, words=4),
        *(
            details(f"{role}: {count(len(names), 'subject')}, for {_ROLES[role]}", listing(code(n) for n in names))
            for role, names in subjects.items()
        ),
    )


def _opened(reference: TableReference) -> tuple[SliceTable | None, str]:
    try:
        return reference.open(), "there, same digest"
    except StudyError as gone:
        return None, str(gone)


def _subjects(record: StudyRecord, opened: dict[str, SliceTable]) -> dict[str, tuple[str, ...]]:
    """As recorded with the verdict; before there is one, as the tables have them."""
    if record.best is not None:
        return {role: tuple(names) for role, names in record.best["subjects"].items()}
    return subjects_by_role(opened)


def _disjoint(subjects: dict[str, tuple[str, ...]]) -> Child:
    if len(subjects) < 2:
        return "Fewer than two tables can be opened, so the split cannot be checked here."
    try:
        require_disjoint(**subjects)
    except BadInput as meeting:
        return tag("strong", f"The split leaks: {meeting}.")
    return f"No subject is in two roles: {series(list(subjects))} are disjoint, checked again for this report."


def _again(record: StudyRecord) -> Html:
    root, name = record.folder.root, record.definition.space_name
    commands = f"{search_command(record)}\npython -m core.train --best {root}\npython -m study.report {root}"
    changed = "" if _is_shipped(record.definition) else f"First save the search space below as {name}.toml."
    return join(
        tag("h3", "To do it again"),
        paragraphs(changed),
        block(commands),
        details(f"The search space, {name}, as it was used", block(record.definition.space)),
    )


def search_command(record: StudyRecord) -> str:
    """The command that begins, or goes on with, a study like this one."""
    definition: Definition = record.definition
    space = definition.space_name if _is_shipped(definition) else f"{definition.space_name}.toml"
    program = "study.ablation" if record.compares_arms else "study.search"
    parts = [f"python -m {program}", "--space", space, "--study", record.folder.name]
    parts += ["--train", definition.train.path]
    if Path(definition.probe.path).resolve() != (record.folder.root / "probe.arrow").resolve():
        parts += ["--probe", definition.probe.path]
    if definition.test:
        parts += ["--test", definition.test.path]
    for path, value in settings_of(definition).items():
        parts += ["--set", f"{path}={json.dumps(value)}"]
    words = [parts[0], *(shlex.quote(part) for part in parts[1:])]
    return " ".join(words).replace(" --", " \\\n    --")


def _is_shipped(definition: Definition) -> bool:
    """Whether the space that comes with this version under the study's name is the one that it used."""
    try:
        return read_space(definition.space_name)[1].strip() == space_text(definition).strip()
    except BadConfig:
        return False


def _provenance(record: StudyRecord) -> Html:
    blocks = []
    for title, found in (
        ("search", provenance_of_search(record)),
        ("retraining", (record.evaluation or {}).get("provenance")),
    ):
        if found:
            packages = ", ".join(f"{name} {version}" for name, version in found.get("packages", {}).items() if version)
            pairs: list[tuple[str, Child]] = [(name, str(v)) for name, v in found.items() if name != "packages"]
            blocks.append(join(tag("h4", title), facts([*pairs, ("packages", packages)])))
    nodes = sorted({trial.node for trial in (*record.trials, *record.replicates) if trial.node})
    where = f"Trained on {count(len(nodes), 'node')}: {', '.join(nodes)}." if nodes else ""
    return join(
        tag("h3", "Provenance"),
        facts([("definition", code(record.definition.digest())), ("objective", code(record.definition.objective))]),
        paragraphs(where),
        *blocks,
    )


def provenance_of_search(record: StudyRecord) -> dict[str, Any] | None:
    """Versions and device, from the newest checkpoint of any trial."""
    for state in _checkpoints(record.folder.root):
        try:
            found = json.loads(state.read_text(encoding="utf-8")).get("provenance")
        except (OSError, ValueError):
            continue
        if isinstance(found, dict):
            return found
    return None


def _checkpoints(root: Path) -> list[Path]:
    return sorted(root.glob("search/*/epoch-*/state.json")) or sorted(root.glob("replicates/*/epoch-*/state.json"))
