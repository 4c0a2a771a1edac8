"""The Optuna study behind a search: what is asked next, what each epoch decides, and how each trial ended.

The study's storage is the only truth. Whatever is killed, opening it again gives finished trials as they were and hands
unfinished ones out once more; they go on from their checkpoint. Every decision is recorded before the epoch that it is
about, so whatever is seen of an epoch, its decision stands; and a trial that was killed while its parameters were drawn
is drawn again to the same values.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from core.config import Config, to_dict
from core.errors import BadConfig
from study.asha import Asha
from study.journal import Journal
from study.sampling import sampler

EPOCHS = "epoch"  # user attribute `epoch 3` holds the figures of epoch 3
REASON = "reason"
CONFIG = "config"
SEED = "seed"
NODE = "node"
CPUS = "cpus"
GPUS = "gpus"
LOST = "lost"  # the epoch after which the trial was last given up and its node may have been at fault
STOPPED = "stopped"  # the epoch after which ASHA stopped the trial
PLANNED = "planned"  # of the Optuna study: assignments in all that its last start asked for


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


class Ledger:
    """Asks, records and decides. One process at a time holds a study's ledger.

    asha: None stops no trial early. ended: told the number of a trial whose end has just been recorded.
    """

    def __init__(
        self,
        study: optuna.Study,
        source: Source,
        epochs: int,
        seed: int,
        asha: Asha | None = None,
        ended: Callable[[int], None] | None = None,
    ) -> None:
        self.study, self.source, self.epochs, self.seed, self.asha = study, source, epochs, seed, asha
        self.ended = ended
        if study.user_attrs.get(PLANNED) != source.total:
            study.set_user_attr(PLANNED, source.total)
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
    def waiting(self) -> bool:
        """Whether assignments have not been handed out yet."""
        return bool(self._resumed) or self._asked() < self.total

    @property
    def total(self) -> int:
        """Assignments in all: those of the source, and any that an earlier and larger plan has handed out."""
        return max(self.source.total, len(self.trials()))

    def assignments(self) -> Iterator[Assignment]:
        """Unfinished trials first, then new ones until the plan is full."""
        while self._resumed:
            number = self._resumed.pop(0)
            trial = self.trials()[number]
            if self.finish(number).is_finished():  # killed between its last epoch and the end
                continue
            if CONFIG in trial.user_attrs:
                yield Assignment(number, trial.user_attrs[CONFIG], trial.user_attrs[SEED])
            else:
                yield from self._built(self._asked_again(number))
        while self._asked() < self.total:
            self._reseed(self._asked())
            yield from self._built(self.study.ask())

    def _built(self, asked: optuna.Trial) -> Iterator[Assignment]:
        try:
            config, seed = self.source.assign(asked)
        except BadConfig as mistake:
            self.fail(asked.number, str(mistake))
            return
        asked.set_user_attr(SEED, seed)
        asked.set_user_attr(CONFIG, to_dict(config))
        yield Assignment(asked.number, to_dict(config), seed)

    def _asked_again(self, number: int) -> optuna.Trial:
        """A trial that was killed before its parameters were complete: always the last that was asked.

        Values that it has are forgotten here, so that drawing them once more leaves the sampler where it was.
        """
        self._reseed(self._asked() - 1)
        trial = self._live(number)
        trial._cached_frozen_trial.params.clear()
        trial._cached_frozen_trial.distributions.clear()
        return trial

    def again(self, number: int) -> None:
        """Hand an unfinished trial out once more."""
        self._resumed.append(number)

    def epochs_of(self, number: int) -> int:
        """The last recorded epoch of a trial, 0 before the first."""
        return max(self.trials()[number].intermediate_values, default=0)

    def has(self, number: int, epoch: int) -> bool:
        """Whether an epoch is recorded."""
        return epoch in self.trials()[number].intermediate_values

    def report(self, number: int, epoch: int, value: float, figures: dict[str, Any]) -> bool:
        """Record an epoch; True when the trial should stop. Epochs already recorded, as on a resume, change nothing."""
        if self.has(number, epoch):
            return False
        others = (trial.intermediate_values for trial in self.trials() if trial.number != number)
        stops = self.asha is not None and epoch < self.epochs and self.asha.stops(epoch, value, others)
        if stops or STOPPED in self.trials()[number].user_attrs:
            self.note(number, **{STOPPED: epoch if stops else 0})
        trial = self._live(number)
        trial.set_user_attr(f"{EPOCHS} {epoch}", figures)
        trial.report(value, epoch)
        return stops

    def fail(self, number: int, reason: str) -> None:
        """Record that a trial failed, and why. It is never asked again."""
        trial = self._live(number)
        trial.set_user_attr(REASON, reason)
        self._tell(number, state=TrialState.FAIL)

    def lose(self, number: int) -> bool:
        """Note that a trial was given up where its node may be at fault; it stays unfinished, so it is asked again.

        False when that happened after the same epoch before: what comes to nothing twice is its own fault, or it would
        be asked for ever.
        """
        epoch = self.epochs_of(number)
        if self.trials()[number].user_attrs.get(LOST) == epoch:
            return False
        self.note(number, **{LOST: epoch})
        return True

    def finish(self, number: int) -> TrialState:
        """Tell the truth about a trial that ended; one that was interrupted stays RUNNING and is resumed next time."""
        trial = self.trials()[number]
        if trial.state.is_finished():
            return trial.state
        values = trial.intermediate_values
        if self.epochs in values:
            self._tell(number, values[self.epochs])
        elif values and trial.user_attrs.get(STOPPED) == max(values):
            self._tell(number, state=TrialState.PRUNED)  # takes its last intermediate value
        return self.trials()[number].state

    def note(self, number: int, **attributes: Any) -> None:
        """Attach plain data to a trial; what it has already is not written again."""
        have = self.trials()[number].user_attrs
        for name, value in attributes.items():
            if name not in have or have[name] != value:
                self._live(number).set_user_attr(name, value)

    def _tell(self, number: int, value: float | None = None, state: TrialState | None = None) -> None:
        self.study.tell(number, value, state)
        if self.ended:
            self.ended(number)

    def _asked(self) -> int:
        return sum(trial.state != TrialState.WAITING for trial in self.trials())

    def _live(self, number: int) -> optuna.Trial:
        return optuna.Trial(self.study, self.trials()[number]._trial_id)

    def _reseed(self, asked: int) -> None:
        self.study.sampler = sampler(self.seed, asked)


def open_study(kept: Path | BaseStorage, name: str) -> optuna.Study:
    """The Optuna study of this name in a journal file or another storage, made if it is not there."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(Journal(kept)) if isinstance(kept, Path) else kept
    return optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.NopPruner(),
        sampler=sampler(0, 0),
    )
