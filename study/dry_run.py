"""--dry-run: what a study would do, told without starting Ray and without writing anything."""

from pathlib import Path
from typing import Any

from rich.table import Table

from core.console import out
from core.cores import usable_cores
from core.families import FAMILIES, held_out_families
from core.mirror import address, fetch
from core.slices.alike import require_fit
from core.slices.demo import found_demo_tables
from core.slices.split import split_subjects
from core.slices.table import SliceTable, open_table
from study.defining import warn_of_namesakes
from study.expecting import Hours, hours, measured, recorded
from study.folder import StudyFolder
from study.planning import Plan
from study.records import read_study
from study.storage import checked

_PROBE = 30 * len(FAMILIES) + 60  # slices of a probe that a study builds for itself


def tell_dry_run(
    plan: Plan,
    folder: StudyFolder,
    seed: int,
    train: Path | None,
    probe: Path | None,
    test: Path | None,
    database: str | None,
    cpus: int,
    concurrent: int | None,
) -> None:
    """Print it. seed: the study's, by which it would hold subjects out for a probe of its own."""
    _tell_space(plan)
    _tell_budget(plan)
    if database:
        checked(database)
    yardstick = open_table(probe) if probe else None
    families = held_out_families(yardstick) if yardstick else plan.families
    families = [name for name in families if name in plan.families or name not in FAMILIES]
    _say("objective", f"pixel-level average precision on the probe, over {', '.join(families)}")
    begun = fetch(folder.definition_file).is_file()
    kept = "has begun: it goes on with the settings that it began with, and refuses others"
    _say("storage", f"{address(folder.root)}, which {kept if begun else 'would be made'}")
    _say("", f"trials recorded in {database or address(folder.journal)}")
    found = None if train else found_demo_tables(folder.root.parent / "phantom")
    train, test = (train, test) if train else found or (None, None)
    for role, path in (("train", train), ("probe", probe), ("test", test)):
        default = "built from the training table" if role == "probe" else "none" if found or train else "the demo's"
        _say(role, str(path or default))
    table, tested = (open_table(path) if path else None for path in (train, test))
    if table and not begun:
        require_fit(table, probe=yardstick, test=tested)
        warn_of_namesakes(table, tested)
    _tell_hours(plan, folder if begun else None, table, yardstick, seed, cpus, concurrent)
    out.print("nothing was started or written", markup=False)


def _tell_space(plan: Plan) -> None:
    _say("preset", plan.preset)
    for path, value in plan.departures.items():
        _say("", f"{path} = {value}")
    for name, changes in plan.arms.items():
        _say(f"arm {name}", ", ".join(f"{path} = {value}" for path, value in changes.items()) or "the preset as it is")
    if not plan.lines:
        return
    table = Table("searched", "values", "preset's", "only when", box=None)
    for line in plan.lines:
        table.add_row(line.name, line.values, line.base, line.when)
    out.print(table, markup=False)
    first = "the preset's own choice" if plan.base_first else "drawn: the space does not hold the preset's own choice"
    _say("first trial", first)


def _tell_budget(plan: Plan) -> None:
    for part in plan.parts:
        spent = f"{part.most} epochs in all"
        if part.least < part.most:
            spent = f"about {part.least:.0f} to {part.most} epochs in all"
        _say(part.name, f"{part.trainings} trainings of {part.epochs} epochs, {spent}")
    if plan.rungs:
        at = ", ".join(map(str, plan.rungs))
        _say("rungs", f"after epoch {at}: one trial in {plan.keeps} goes on")
    _say("seeds", ", ".join(map(str, plan.seeds)))
    if plan.controls:
        _say("controls", f"{', '.join(plan.controls)}, trained by core.train --best")


def _tell_hours(
    plan: Plan,
    begun: StudyFolder | None,
    table: SliceTable | None,
    probe: SliceTable | None,
    seed: int,
    cpus: int,
    concurrent: int | None,
) -> None:
    record = read_study(begun) if begun else None
    known = recorded((*record.trials, *record.replicates)) if record else None
    if known:
        each, source = {part.name: known for part in plan.parts}, "from the epochs that this study has recorded"
    elif table is None:
        _say("hours", "not known before the demo's brains are there: python -m core.ingest makes them")
        return
    else:
        held = probe.subjects if probe else split_subjects(table.subjects, 0.25, seed)[1]
        rows = table.rows_without(held)
        scored = len(probe) if probe else _PROBE
        seen: dict[Any, float] = {}
        for part in plan.parts:
            if part.config not in seen:
                seen[part.config] = measured(part.config, table, rows, scored, cpus)
        each = {part.name: seen[part.config] for part in plan.parts}
        source = f"from two batches trained here now, on {cpus} thread{'s' if cpus > 1 else ''}"
    found = hours(plan.parts, each)
    slots = concurrent or max(1, usable_cores() // cpus)
    _say("hours", source)
    for one in found:
        _say("", f"{one.name}: {one.seconds:.1f} s an epoch, {_span(one, 1)} h one at a time")
    total = Hours("all", 0.0, sum(one.least for one in found), sum(one.most for one in found))
    _say("", f"all: {_span(total, 1)} h one at a time, {_span(total, slots)} h with {slots} at a time on such machines")


def _span(found: Hours, slots: int) -> str:
    low, high = found.least / slots, found.most / slots
    return f"{high:.2g}" if high - low < 0.005 * high else f"{low:.2g} to {high:.2g}"


def _say(name: str, text: str) -> None:
    out.print(f"{name:<19} {text}", markup=False)
