"""How far a study is, from its files alone: nothing here writes, waits, or needs Ray."""

import json
import time
from datetime import datetime
from typing import NamedTuple

from optuna.trial import TrialState

from core.console import out
from core.errors import StudyError
from core.mirror import address, is_remote
from study.arms import parse_ablation
from study.folder import Definition, StudyFolder
from study.lock import driver
from study.reading import with_settings
from study.recorded_space import arms_of, settings_of, space_text
from study.records import TrialRecord, best_first, planned_of, records_of
from study.storage import StudyStorage


class Phase(NamedTuple):
    """One phase in numbers. total: trainings that it was planned with, None where today's program cannot read that."""

    name: str
    total: int | None
    kept: int
    stopped: int
    failed: int
    unfinished: int
    epochs: int

    @property
    def ended(self) -> int:
        """Trainings that ended, however they did."""
        return self.kept + self.stopped + self.failed


class Standing(NamedTuple):
    """state: `decided`, `running`, `perhaps running` (a driver on another machine has it), `stopped` or `defined`.

    best: number and objective of the best trial of the search so far, or the arm's training of an ablation.
    last: when the last event was recorded, as this machine's clock has it. driver: who holds the study, '' for nobody.
    budget: epochs of a full training.
    """

    folder: StudyFolder
    state: str
    phases: tuple[Phase, ...]
    budget: int | None
    best: tuple[int, float] | None
    last: float | None
    driver: str
    verdict: str

    @property
    def phase(self) -> str:
        """The phase that it is in; the last one where all are done."""
        open_ = [one.name for one in self.phases if one.total is None or one.ended < one.total]
        return open_[0] if open_ else self.phases[-1].name


def standing(folder: StudyFolder) -> Standing:
    """Where a study stands. Raises BadStudy when its files cannot be read."""
    definition = folder.definition()
    planned, budget = _planned(definition)
    studies = StudyStorage(folder, definition).recorded(*planned)
    found = {name: records_of(studies.get(name)) for name in planned}
    phases = tuple(_phase(name, planned_of(studies.get(name)) or planned[name], found[name]) for name in planned)
    holder = driver(folder.root)
    searched = best_first(found["search" if "search" in found else "replicates"])
    verdict = _verdict(folder)
    # Where no start has recorded what it asked for, the plan may have been of more than there was to train.
    is_open = any(one.unfinished or one.ended < (planned_of(studies.get(one.name)) or 0) for one in phases)
    if holder and holder.lives is not False:
        state = "running" if holder.lives else "perhaps running"
    elif verdict and not is_open:
        state = "decided"
    else:
        state = "stopped" if any(found.values()) else "defined"
    best = (searched[0].number, searched[0].value or 0.0) if searched else None
    last = _last(folder, [trial for trials in found.values() for trial in trials])
    return Standing(folder, state, phases, budget, best, last, holder.words if holder else "", verdict)


def tell(found: Standing) -> None:
    """Print it."""
    say = out.print
    say(f"study {found.folder.name} in {address(found.folder.root)}: {found.state}, phase {found.phase}", markup=False)
    for one in found.phases:
        of = f" of {one.total}" if one.total is not None else ""
        say(
            f"  {one.name:<12} {one.ended}{of} ended: {one.kept} in full, {one.stopped} stopped early, "
            f"{one.failed} failed; {one.unfinished} unfinished; {one.epochs} epochs scored",
            markup=False,
        )
    if found.best:
        say(f"  best so far  {found.best[1]:.4f}, training {found.best[0]}", markup=False)
    say(f"  last event   {ago(found.last) if found.last else 'none yet'}", markup=False)
    say(f"  driver       {found.driver or 'none'}", markup=False)
    if found.verdict:
        say(f"  verdict      {found.verdict}", markup=False)


def ago(then: float) -> str:
    """How long ago a time of the epoch was, in words."""
    seconds = max(0.0, time.time() - then)
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def _planned(definition: Definition) -> tuple[dict[str, int | None], int | None]:
    """Phases with the trainings of each, and the epochs of a training, as far as the recorded space can be read."""
    text, settings = space_text(definition), settings_of(definition)
    try:
        if arms_of(definition):
            ablation, _ = parse_ablation(text, settings, definition.space_name)
            searches = {f"search-{name}": ablation.study.trials for name, arm in ablation.arms.items() if arm.space}
            return searches | {"replicates": len(ablation.arms) * len(ablation.seeds)}, ablation.epochs
        space, _ = with_settings(text, settings, definition.space_name)
        plan = space.study
        return {
            "search": plan.trials,
            "replicates": min(plan.top, plan.trials) * plan.seeds,
        }, space.base().training.epochs
    except (StudyError, ValueError):
        return {"search": None, "replicates": None}, None


def _phase(name: str, total: int | None, trials: tuple[TrialRecord, ...]) -> Phase:
    states = [trial.state for trial in trials]
    kept, stopped, failed = (states.count(s) for s in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
    epochs = sum(trial.epochs for trial in trials)
    # An earlier and larger plan may have begun more, which are finished all the same.
    total = None if total is None else max(total, len(trials))
    return Phase(name, total, kept, stopped, failed, states.count(TrialState.RUNNING), epochs)


def _verdict(folder: StudyFolder) -> str:
    try:
        found = json.loads(folder.best.read_text(encoding="utf-8"))
        return str(found["verdict"]["sentence"])
    except (FileNotFoundError, ValueError, KeyError):
        return ""


def _last(folder: StudyFolder, trials: list[TrialRecord]) -> float | None:
    if not is_remote(folder.journal) and folder.journal.is_file():
        return folder.journal.stat().st_mtime
    times: list[datetime] = [time for trial in trials for time in (trial.started, trial.ended) if time]
    return max(times).timestamp() if times else None
