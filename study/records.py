"""A study as it stands, read for a report. Nothing here writes, asks a sampler, or needs Ray."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from core.errors import BadStudy
from core.results import best_floor
from study.folder import OBJECTIVE, OBJECTIVE_TEXT, Definition, StudyFolder
from study.ledger import CONFIG, CPUS, EPOCHS, GPUS, NODE, PLANNED, REASON, SEED
from study.lock import Driver, driver
from study.recorded_space import arms_of, searching_arms, space_of
from study.search_source import PAPER
from study.space import Space
from study.storage import StudyStorage


@dataclass(frozen=True)
class TrialRecord:
    """One trial as plain data. curve: objective by epoch. figures: all figures by epoch."""

    number: int
    state: TrialState
    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    curve: dict[int, float]
    figures: dict[int, dict[str, float]] = field(default_factory=dict)
    config: dict[str, Any] | None = None
    seed: int | None = None
    is_base: bool = False
    node: str | None = None
    cpus: int | None = None
    gpus: float | None = None
    reason: str | None = None
    started: datetime | None = None
    ended: datetime | None = None

    @classmethod
    def of(cls, trial: FrozenTrial) -> "TrialRecord":
        """The record of an Optuna trial."""
        attributes = trial.user_attrs
        prefix = f"{EPOCHS} "
        figures = {int(key.removeprefix(prefix)): value for key, value in attributes.items() if key.startswith(prefix)}
        curve = dict(sorted(trial.intermediate_values.items()))
        return cls(
            trial.number,
            trial.state,
            dict(trial.params),
            dict(trial.distributions),
            curve,
            figures,
            attributes.get(CONFIG),
            attributes.get(SEED),
            bool(attributes.get(PAPER, False)),
            attributes.get(NODE),
            attributes.get(CPUS),
            attributes.get(GPUS),
            attributes.get(REASON) if trial.state == TrialState.FAIL else None,
            trial.datetime_start,
            trial.datetime_complete,
        )

    @property
    def epochs(self) -> int:
        """The last epoch that was scored, 0 before the first."""
        return max(self.curve, default=0)

    @property
    def value(self) -> float | None:
        """The objective at the last epoch that was scored."""
        return self.curve.get(self.epochs)

    @property
    def shape(self) -> str:
        """The mask shape trained on, '' where the trial failed before it had one."""
        if self.config is not None:
            return str(self.config.get("synthesis", {}).get("mask", {}).get("kind", ""))
        return str(self.params.get("synthesis.mask.kind", ""))

    @property
    def seconds(self) -> float:
        """Training and scoring on the worker, over all its attempts."""
        return sum(f.get("seconds", 0.0) + f.get("evaluation_seconds", 0.0) for f in self.figures.values())


@dataclass(frozen=True)
class StudyRecord:
    """Everything that a report needs; what is not there yet is None or empty.

    space: None when today's program cannot read the recorded text. best, evaluation, ablation: the JSON
    files as they are. arm_searches: of an ablation, the trials of each arm that searched settings of its own.
    driver: who holds the study. read: when all this was so, in UTC.
    requested: trainings in all that the last start of a phase asked for; studies of before it was recorded have none.
    """

    folder: StudyFolder
    definition: Definition
    space: Space | None
    epochs: int
    trials: tuple[TrialRecord, ...]
    replicates: tuple[TrialRecord, ...]
    best: dict[str, Any] | None
    evaluation: dict[str, Any] | None
    ablation: dict[str, Any] | None = None
    arm_searches: dict[str, tuple[TrialRecord, ...]] = field(default_factory=dict)
    driver: Driver | None = None
    read: datetime = field(default_factory=lambda: datetime.now(UTC))
    requested: dict[str, int] = field(default_factory=dict)

    @property
    def planned(self) -> int:
        """Trials of the search in all: those asked for, by default the space's, or more where more have begun."""
        told = self.space.study.trials if self.space else 0
        return max(self.requested.get("search", told), len(self.trials))

    @property
    def phases(self) -> dict[str, tuple[TrialRecord, ...]]:
        """Trainings by phase, in their order: the search, or those of arms by name, and what followed it."""
        arms = {f"search of {name}": trials for name, trials in self.arm_searches.items()}
        last = "arms under every seed" if self.compares_arms else "replicates"
        return {
            name: found for name, found in ({"search": self.trials} | arms | {last: self.replicates}).items() if found
        }

    @property
    def trainings(self) -> list[TrialRecord]:
        """Those of all phases, begun or not."""
        return [trial for found in self.phases.values() for trial in found]

    @property
    def ended(self) -> int:
        """How many trainings of all phases have ended, however they did."""
        return sum(trial.state.is_finished() for trial in self.trainings)

    @property
    def unfinished(self) -> list[TrialRecord]:
        """Trials of the search that have not ended."""
        return [trial for trial in self.trials if not trial.state.is_finished()]

    @property
    def arm_names(self) -> dict[int, str]:
        """The arms by the number that replicates have as `trial`; none of a search, and none before the verdict."""
        return {one["trial"]: one["arm"] for one in (self.best or {}).get("replicates", ()) if "arm" in one}

    @property
    def running(self) -> str:
        """'Still running', 'Perhaps still running' where its driver is on another machine, '' where it was stopped."""
        if self.driver is None or self.driver.lives is False:
            return ""
        return "Still running" if self.driver.lives else "Perhaps still running"

    @property
    def compares_arms(self) -> bool:
        """Whether it is an ablation rather than a search."""
        return bool(arms_of(self.definition))

    @property
    def objective(self) -> str:
        """The dotted name of what was maximised, as it was when the study began."""
        return self.definition.objective

    @property
    def objective_text(self) -> str:
        """The same in words, where there are any."""
        if self.best is not None:
            return str(self.best["objective"]["text"])
        return OBJECTIVE_TEXT if self.objective == OBJECTIVE else self.objective

    @property
    def untested(self) -> str:
        """Why there are no test results and how to get them, '' when there are some."""
        if self.best is None:
            return "There is no winner yet, so nothing was tested."
        if self.evaluation is None:
            return f"Not retrained yet: python -m core.train --best {shlex.quote(str(self.folder.root))}"
        if not self.evaluation.get("test") or not self.evaluation.get("entries"):
            return "Not tested: the study names no test table. Give one with --test when a study begins."
        return ""

    @property
    def floor(self) -> tuple[str, float] | None:
        """The score without training that has the highest objective, and that; None before anything was retrained."""
        return best_floor(self.evaluation)

    def with_state(self, *states: TrialState) -> list[TrialRecord]:
        """Trials of the search in these states."""
        return [trial for trial in self.trials if trial.state in states]


def records_of(study: optuna.Study | None) -> tuple[TrialRecord, ...]:
    """Every trial of an Optuna study, by number; none where it has not begun."""
    return tuple(TrialRecord.of(trial) for trial in study.get_trials(deepcopy=False)) if study else ()


def planned_of(study: optuna.Study | None) -> int | None:
    """Trainings in all that the last start of an Optuna study asked for; None where that is not recorded."""
    return study.user_attrs.get(PLANNED) if study else None


def read_study(folder: StudyFolder) -> StudyRecord:
    """The study in a folder, at any stage of its life. Raises BadStudy when it has no readable study.json."""
    definition = folder.definition()
    space, searching = space_of(definition), {f"search-{arm}": arm for arm in searching_arms(definition)}
    studies = StudyStorage(folder, definition).recorded("search", "replicates", *searching)
    trials, replicates = records_of(studies.get("search")), records_of(studies.get("replicates"))
    arms = {arm: found for phase, arm in searching.items() if (found := records_of(studies.get(phase)))}
    known = (trial.epochs for found in (trials, replicates, *arms.values()) for trial in found)
    epochs = space.base().training.epochs if space else max(known, default=0)
    return StudyRecord(
        folder,
        definition,
        space,
        epochs,
        trials,
        replicates,
        _json(folder.best),
        _json(folder.retrained / "evaluation.json"),
        _json(folder.ablation),
        arms,
        driver(folder.root),
        requested={phase: total for phase, study in studies.items() if (total := planned_of(study)) is not None},
    )


def best_first(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Full-budget trials by objective, then the others by how far they came and their objective."""
    scored = [trial for trial in trials if trial.value is not None]
    return sorted(scored, key=lambda t: (t.state != TrialState.COMPLETE, -t.epochs, -(t.value or 0.0), t.number))


def _json(path: Any) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as damaged:
        raise BadStudy(f"{path}: not JSON: {damaged}") from None
    if not isinstance(found, dict):
        raise BadStudy(f"{path}: holds a {type(found).__name__}, expected an object")
    return found
