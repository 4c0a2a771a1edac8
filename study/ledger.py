"""The Optuna study behind a search: what is asked next, what each epoch decides, and how each trial ended.

The study's storage is the only truth. Whatever is killed, opening it again gives finished trials as they were and hands
unfinished ones out once more; they go on from their checkpoint. ASHA's rungs are kept by Optuna's own pruner in the
storage, so its decisions do not depend on which process makes them.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from core.config import Config, to_dict
from core.errors import BadConfig
from study.journal import Journal
from study.space import Space

EPOCHS = "epoch"  # user attribute `epoch 3` holds the figures of epoch 3
REASON = "reason"
CONFIG = "config"
SEED = "seed"
NODE = "node"
SECONDS = "seconds"
CPUS = "cpus"
GPUS = "gpus"
FORKED = "forked"  # number of the trial in the study that this one was forked from
PAPER = "paper"  # set on the trial that is the preset's own choice
_UNFINISHED = (TrialState.RUNNING, TrialState.WAITING)


@dataclass(frozen=True)
class Assignment:
    """One training that is to be run: plain data, so that it travels to any node."""

    number: int
    config: dict[str, Any]
    seed: int


class Source(Protocol):
    """Where assignments come from: a search space, or a list of replicates."""

    @property
    def total(self) -> int:
        """Assignments in all."""
        ...

    def prepare(self, study: optuna.Study) -> None:
        """Enqueue what must be tried whatever the sampler says."""
        ...

    def assign(self, trial: optuna.Trial) -> tuple[Config, int]:
        """Fill a trial's parameters: configuration and seed. Raises BadConfig when they make none."""
        ...


@dataclass
class SearchSource:
    """Trials suggested by Optuna over a space, all under one seed so that they differ by their settings alone.

    total: trials in all. forked: trials of another study that are tried again first.
    """

    space: Space
    total: int
    forked: Sequence[FrozenTrial] = ()

    def prepare(self, study: optuna.Study) -> None:
        """The preset's own choice is the first trial, where the space holds it: a winner must beat it.

        After it come the trials that the study was forked from, as far as this space holds their values.
        """
        if study.get_trials(deepcopy=False):
            return
        values = self.space.values_of(self.space.base())
        if values is not None:
            study.enqueue_trial(values, user_attrs={PAPER: True})
        for trial in self.forked:
            held = {name: value for name, value in trial.params.items() if self.space.holds(name, value)}
            study.enqueue_trial(held, user_attrs={FORKED: trial.number}, skip_if_exists=True)

    def assign(self, trial: optuna.Trial) -> tuple[Config, int]:
        """Suggest values and build the configuration."""
        return self.space.configure(self.space.suggest(trial)), self.space.study.seed


class Ledger:
    """Asks, records and decides. One process at a time holds a study's ledger."""

    def __init__(self, study: optuna.Study, source: Source, epochs: int, seed: int) -> None:
        self.study, self.source, self.epochs, self.seed = study, source, epochs, seed
        self._stopped: set[int] = set()
        self._failed: dict[int, str] = {}
        source.prepare(study)
        self._resumed = [trial.number for trial in self.trials() if trial.state == TrialState.RUNNING]
        self.found = {trial.number for trial in self.trials() if trial.state.is_finished()}

    def trials(self) -> list[FrozenTrial]:
        """Every trial, by number."""
        return self.study.get_trials(deepcopy=False)

    def summary(self) -> str:
        """What was found in the storage, in words."""
        resumed = [f"{n} at epoch {len(self.trials()[n].intermediate_values)}" for n in self._resumed]
        kept = sum(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in self.trials())
        failed = sum(t.state == TrialState.FAIL for t in self.trials())
        where = f" (trial {', '.join(resumed)})" if resumed else ""
        to_ask = self.remaining() - len(resumed)
        return f"kept {kept}, resumed {len(resumed)}{where}, failed before {failed}, to ask {to_ask}"

    def remaining(self) -> int:
        """Assignments not finished yet."""
        return self.total - sum(trial.state.is_finished() for trial in self.trials())

    @property
    def total(self) -> int:
        """Assignments in all: those of the source, and any that an earlier and larger plan has handed out."""
        return max(self.source.total, len(self.trials()))

    def assignments(self) -> Iterator[Assignment]:
        """Unfinished trials first, then new ones until the plan is full."""
        while self._resumed:
            number = self._resumed.pop(0)
            trial = self.trials()[number]
            if self._should_stop(number):  # killed between its report and the decision
                self._stopped.add(number)
                self.finish(number)
            elif CONFIG in trial.user_attrs:
                yield Assignment(number, trial.user_attrs[CONFIG], trial.user_attrs[SEED])
            else:  # killed between asking and building: its parameters are incomplete
                self.fail(number, "interrupted before it began")
        while self._asked() < self.total:
            self._reseed()
            asked = self.study.ask()
            try:
                config, seed = self.source.assign(asked)
            except BadConfig as mistake:
                self.fail(asked.number, str(mistake))
                continue
            asked.set_user_attr(SEED, seed)
            asked.set_user_attr(CONFIG, to_dict(config))
            yield Assignment(asked.number, to_dict(config), seed)

    def report(self, number: int, epoch: int, value: float, figures: dict[str, Any]) -> bool:
        """Record an epoch; True when the trial should stop. Epochs already recorded, as on a resume, change nothing."""
        if epoch in self.trials()[number].intermediate_values:
            return False
        trial = self._live(number)
        trial.set_user_attr(f"{EPOCHS} {epoch}", figures)
        trial.report(value, epoch)
        if epoch < self.epochs and trial.should_prune():
            self._stopped.add(number)
            return True
        return False

    def fail(self, number: int, reason: str) -> None:
        """Record that a trial failed, and why. It is never asked again."""
        trial = self._live(number)
        trial.set_user_attr(REASON, reason)
        self.study.tell(number, state=TrialState.FAIL)

    def finish(self, number: int) -> TrialState:
        """Tell the truth about a trial that ended; one that was interrupted stays RUNNING and is resumed next time."""
        trial = self.trials()[number]
        if trial.state.is_finished():
            return trial.state
        values = trial.intermediate_values
        if self.epochs in values:
            self.study.tell(number, values[self.epochs])
        elif number in self._stopped:
            self.study.tell(number, state=TrialState.PRUNED)  # takes its last intermediate value
        return self.trials()[number].state

    def note(self, number: int, **attributes: Any) -> None:
        """Attach plain data to a trial; what it has already is not written again."""
        have = self.trials()[number].user_attrs
        for name, value in attributes.items():
            if name not in have or have[name] != value:
                self._live(number).set_user_attr(name, value)

    def _asked(self) -> int:
        return sum(trial.state != TrialState.WAITING for trial in self.trials())

    def _live(self, number: int) -> optuna.Trial:
        return optuna.Trial(self.study, self.trials()[number]._trial_id)

    def _should_stop(self, number: int) -> bool:
        trial = self.trials()[number]
        return (
            bool(trial.intermediate_values)
            and max(trial.intermediate_values) < self.epochs
            and (self._live(number).should_prune())
        )

    def _reseed(self) -> None:
        """A sampler made anew would repeat its first draws; seeding by trial number makes restarts invisible."""
        self.study.sampler = sampler([self.seed, self._asked()])


def sampler(seed: list[int]) -> optuna.samplers.TPESampler:
    """TPE that models conditional parameters jointly and does not crowd running trials."""
    mixed = sum(part * 1_000_003**index for index, part in enumerate(seed)) % 2**32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            seed=mixed, multivariate=True, group=True, constant_liar=True, n_startup_trials=10
        )


def open_study(events: Path | BaseStorage, name: str, pruner: optuna.pruners.BasePruner | None = None) -> optuna.Study:
    """The Optuna study of this name in a journal file or another storage, made if it is not there."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(Journal(events)) if isinstance(events, Path) else events
    return optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        pruner=pruner or optuna.pruners.NopPruner(),
        sampler=sampler([0, 0]),
    )


def asha(grace: int, reduction: int) -> optuna.pruners.BasePruner:
    """Asynchronous successive halving (Li et al. 2020); a reduction of 1 never stops a trial."""
    if reduction == 1:
        return optuna.pruners.NopPruner()
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=grace, reduction_factor=reduction)
