"""How was it chosen, and on whom: the procedure in words, the split audit, and what is needed to do it again."""

import json
import shlex
from pathlib import Path
from typing import Any

from core.errors import BadConfig, BadInput, StudyError
from core.mirror import address
from core.runs import RUNS
from core.slices.split import require_disjoint
from core.slices.table import SliceTable
from study.folder import Definition, TableReference, subjects_by_role
from study.page.downloads import downloads
from study.page.html import Child, Html, Section, block, code, details, facts, join, listing, paragraphs, table, tag
from study.page.procedure import openings, procedure
from study.page.words import count, series
from study.reading import read_space
from study.recorded_space import settings_of, space_text
from study.records import StudyRecord

_ROLES = {"train": "training", "probe": "the probe: every choice", "test": "the test, after the choice"}


def chosen_section(record: StudyRecord) -> Section:
    """The method and the evidence that nothing leaked."""
    parts = (
        procedure(record),
        tag("h3", "Split audit"),
        audit(record),
        _again(record),
        downloads(record),
        _provenance(record),
    )
    return Section("choice", "Choice", "How it was chosen, and on whom", join(*parts))


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
        rows.append([role, code(reference.digest), code(reference.path), state, "–", "–"])
    subjects = _subjects(record, opened)
    for row in rows:
        role = str(row[0])
        if role in subjects:
            row[4] = f"{len(subjects[role]):,}"
        if role in subjects and role in opened:
            # The training table also holds the slices of the probe's subjects, which nothing trains on.
            others = {*opened[role].subjects} - {*subjects[role]}
            row[5] = f"{len(opened[role].rows_without(others)):,}"
    told = _ROLES | {"test": f"{_ROLES['test']}; {openings(record)}"}
    head = ("role", "digest", "place", "now", "subjects", "slices")
    return join(
        paragraphs(_disjoint(subjects)),
        table(head, rows, words=4),
        *(
            details(f"{role}: {count(len(names), 'subject')}, for {told[role]}", listing(code(n) for n in names))
            for role, names in subjects.items()
        ),
    )


def _opened(reference: TableReference) -> tuple[SliceTable | None, str]:
    try:
        return reference.open(), "there, same digest"
    except StudyError as gone:
        return None, str(gone).removeprefix(f"{reference.path}: ")


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
    root, name = shlex.quote(address(record.folder.root)), record.definition.space_name
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
    if record.space and record.planned != record.space.study.trials:
        parts += ["--trials", str(record.planned)]
    if record.folder.root.parent != RUNS:
        parts += ["--runs", address(record.folder.root.parent)]
    if definition.database:
        parts += ["--database", definition.database]
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
