"""The folder of a study: where each thing lies, and the file that says what the study is."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from core.durable import write_json
from core.errors import BadConfig, BadStudy, nearest
from core.families import held_out_families
from core.mirror import address, fetch, place
from core.runs import default_runs
from core.slices.cache import open_cached
from core.slices.table import SliceTable
from study.settings import parted, recorded

FORMAT = 1
OBJECTIVE = "probe.held_out_families.average_precision"
OBJECTIVE_TEXT = (
    "pixel-level average precision on the probe, averaged over the families of pseudo-outliers that no trial trains on"
)


@dataclass(frozen=True)
class TableReference:
    """A slice table by place and content; the content decides."""

    path: str
    digest: str

    @classmethod
    def to(cls, table: SliceTable) -> "TableReference":
        """The reference to an open table."""
        return cls(address(table.path), table.digest)

    def open(self) -> SliceTable:
        """The table. Raises BadTable when it is gone or its content is another."""
        return open_cached(self.path, self.digest)


@dataclass(frozen=True)
class Definition:
    """What a study is. Nothing in it may change while the study lives.

    space: name and text of the search space, and at its end what --set put over it (study.settings).
    train, probe: tables; test: only recorded here, opened after selection.
    families: of the probe, those that the objective averages over; studies of before they were recorded name none.
    database: where trials are recorded, None for the journal. identity: this study's own, where many share a database:
    the name that it began with, and what no other of that name has.
    """

    space_name: str
    space: str
    train: TableReference
    probe: TableReference
    test: TableReference | None
    objective: str = OBJECTIVE
    format: int = FORMAT
    families: tuple[str, ...] = ()
    database: str | None = None
    identity: str = ""

    def judged_by(self) -> list[str]:
        """The families of the probe that the objective averages over. Raises BadInput when the probe is gone."""
        return list(self.families) or held_out_families(self.probe.open())

    def digest(self) -> str:
        """Changes with everything that decides a result; tables' places, the database and the order of --set do not."""
        text, settings = parted(self.space)  # which earlier versions left in the order of the command
        parts = [
            recorded(text.strip() + "\n", settings),
            self.train.digest,
            self.probe.digest,
            self.test.digest if self.test else "",
            self.objective,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class StudyFolder:
    """Paths of one study."""

    root: Path

    @property
    def name(self) -> str:
        """The study's name is its folder's."""
        return self.root.name

    @property
    def definition_file(self) -> Path:
        """What the study is."""
        return self.root / "study.json"

    @property
    def journal(self) -> Path:
        """The Optuna journal: the only truth about trials."""
        return self.root / "journal.log"

    @property
    def best(self) -> Path:
        """The winner, how it was chosen, and what core.train needs."""
        return self.root / "best.json"

    @property
    def ablation(self) -> Path:
        """What an ablation found."""
        return self.root / "ablation.json"

    @property
    def trials(self) -> Path:
        """One row per trial, for reports and for pandas."""
        return self.root / "trials.parquet"

    @property
    def report(self) -> Path:
        """The report."""
        return self.root / "report.html"

    @property
    def retrained(self) -> Path:
        """What core.train --best writes."""
        return self.root / "retrained"

    def training(self, phase: str, number: int) -> Path:
        """What one training keeps: its checkpoints and sample maps."""
        return self.root / phase / training_name(number)

    def fetch(self) -> "StudyFolder":
        """Itself, after copying what is small and needed from object storage, where the study lies there."""
        for file in (
            self.definition_file,
            self.best,
            self.ablation,
            self.retrained / "evaluation.json",
            self.retrained / "examples.npz",
            self.retrained / "panels.npz",
        ):
            fetch(file)
        return self

    def define(self, definition: Definition) -> bool:
        """Record what the study is, and where its tables lie now; True when it is new.

        Raises BadStudy when the folder holds another one.
        """
        if not self.definition_file.exists():
            write_json(self.definition_file, asdict(definition))
            return True
        kept = self.definition()
        if kept.digest() != definition.digest():
            changes = "; ".join(_changes(kept, definition))
            more = "--trials N for more trials, " if "trials = " in changes and "[arms." not in kept.space else ""
            raise BadStudy(
                f"{self.root}: this study was begun with other settings ({changes}); give the same settings to go on, "
                f"{more}another --study name, or --fork NAME to begin from its best trials"
            )
        if definition.database not in (None, kept.database):
            raise BadStudy(
                f"{self.root}: this study records its trials in {kept.database or self.journal}, --database says "
                f"{definition.database}"
            )
        began = kept.identity.rpartition("/")[0]
        if began not in ("", self.name):  # renamed, or a copy, which must not carry out what the other does
            raise BadStudy(
                f"{self.root}: this study began as {began!r}, and its trials are in {kept.database} under that name; "
                f"give its folder that name again"
            )
        now = replace(kept, train=definition.train, probe=definition.probe, test=definition.test)
        if now != kept:  # tables of the same content, moved, or the study's own probe with its folder
            write_json(self.definition_file, asdict(now))
        return False

    def definition(self) -> Definition:
        """What the study is. Raises BadStudy when the file is missing or unreadable."""
        try:
            data = json.loads(self.definition_file.read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                raise BadStudy(f"{self.definition_file}: has format {data['format']}, expected {FORMAT}")
            for role in ("train", "probe", "test"):
                data[role] = TableReference(**data[role]) if data[role] else None
            return Definition(**data | {"families": tuple(data.get("families", ()))})
        except FileNotFoundError:
            raise BadStudy(f"{self.root}: holds no study.json; expected the folder of a study") from None
        except (ValueError, KeyError, TypeError) as damaged:
            raise BadStudy(f"{self.definition_file}: cannot be read: {damaged}") from None


def training_name(number: int) -> str:
    """The folder of a training within its phase's."""
    return f"{number:05d}"


def subjects_by_role(tables: Mapping[str, SliceTable]) -> dict[str, tuple[str, ...]]:
    """Subjects of each table by role: train, probe, test. Training subjects that the probe holds out are its own."""
    found = {role: table.subjects for role, table in tables.items()}
    if "train" in found:
        held_out = found.get("probe", ())
        found["train"] = tuple(subject for subject in found["train"] if subject not in held_out)
    return found


def study_named(name: str, runs: Path, option: str = "--study") -> StudyFolder:
    """The folder under `runs` of a study that may be new. Raises BadConfig, naming the option, for what is no name."""
    if not name.strip() or name.startswith(".") or "/" in name or "\\" in name:
        expected = "expected a name without slashes that begins with no dot; --runs FOLDER says where it lies"
        raise BadConfig(f"{option} {name!r}: {expected}")
    return StudyFolder(runs / name)


def find_study(name: str | None, runs: Path | None) -> StudyFolder:
    """A study by name or folder, or the newest one under `runs`. Raises BadStudy with the names that exist."""
    runs = runs or default_runs()
    if name is not None:
        for root in (place(name), runs / name):
            if fetch(root / "study.json").is_file():
                return StudyFolder(root).fetch()
    known = sorted(runs.glob("*/study.json"), key=_last_change)
    if name is None and known:
        return StudyFolder(known[-1].parent)
    names = [file.parent.name for file in known]
    wanted = f"study {name!r}" if name else "a study"
    hint = nearest(name or "", names) or "; python -m study.search begins one, --runs FOLDER looks elsewhere"
    raise BadStudy(f"{runs}: {wanted} was not found; there are: {', '.join(names) or 'none'}{hint}")


def _last_change(definition: Path) -> float:
    """When a study last moved on; one that was stopped before its first trial has no journal yet."""
    journal = definition.parent / "journal.log"
    return (journal if journal.exists() else definition).stat().st_mtime


def _changes(old: Definition, new: Definition) -> list[str]:
    found = _changes_of_space(old, new)
    for role in ("train", "probe", "test"):
        a, b = getattr(old, role), getattr(new, role)
        if (a.digest if a else None) != (b.digest if b else None):
            found.append(f"{role} table {a.digest[:12] if a else 'none'} then, {b.digest[:12] if b else 'none'} now")
    if old.objective != new.objective:
        found.append(f"objective {old.objective} then, {new.objective} now")
    return found


def _changes_of_space(old: Definition, new: Definition) -> list[str]:
    """Settings that differ, with their values, and the first line of the texts that does."""
    (before, then), (after, now) = parted(old.space), parted(new.space)
    values = {path: (_told(then, path), _told(now, path)) for path in sorted({**then, **now})}
    found = [f"{path} = {was} then, {told} now" for path, (was, told) in values.items() if was != told]
    lines = zip_longest(before.strip().splitlines(), after.strip().splitlines(), fillvalue="")
    line = next((b or a for a, b in lines if a != b), None)
    return found if line is None else [*found, f"search space {new.space_name}, first at {line.strip()!r}"]


def _told(settings: Mapping[str, Any], path: str) -> str:
    return repr(settings[path]) if path in settings else "the space's own"
