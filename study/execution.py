"""Carrying out a ledger's assignments on Ray Tune. Tune executes; it remembers nothing that matters.

Every start is a fresh Tuner: what goes on from an earlier one is known to the ledger and to the trials' checkpoints.
"""

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from optuna.trial import TrialState
from ray import tune
from ray.tune import Stopper
from ray.tune.result import NODE_IP
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from core.errors import BadStorage, Halted, Overtaken
from core.mirror import address, filesystem, is_remote
from study.deaths import Deaths, Silent
from study.folder import TableReference, training_name
from study.ledger import CPUS, GPUS, NODE, Assignment, Ledger
from study.nodes import Idle, Nodes
from study.processes import outliving_its_folder
from study.progress import Progress
from study.slots import Slots
from study.storage import refusing
from study.trainable import DYING, FAILED, HALTED, VALUE, run_trial

# It logs each snapshot of Tune's state that could not be written; nobody reads those, and _Halt tells of the storage.
logging.getLogger("ray.tune.execution.experiment_state").setLevel(logging.CRITICAL)


class _Unsaved:
    """Tune pickles its parts for restores of its own, which a study never does; there is nothing in them to keep."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Halt:
    """What ends a run and no trial: storage that refuses a write, a node that fails what it is given, another driver.

    Trials stay unfinished and go on when it is well.
    """

    def __init__(self, interrupted: threading.Event) -> None:
        self.interrupted = interrupted
        self.reason: str | None = None
        self.overtaken: Overtaken | None = None

    def because(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.interrupted.set()

    @contextmanager
    def on_refusal(self) -> Iterator[None]:
        """Around everything that reads or writes the study's records."""
        try:
            with refusing():
                yield
        except BadStorage as storage:
            self.because(str(storage))
        except Overtaken as overtaken:
            self.overtaken = overtaken
            self.interrupted.set()


class _LedgerSearcher(_Unsaved, Searcher):
    """Hands the ledger's assignments to Tune and tells the ledger how each ended."""

    def __init__(
        self, ledger: Ledger, task: dict[str, Any], folder: Path, progress: Progress, halt: _Halt, deaths: Deaths
    ) -> None:
        super().__init__(metric=VALUE, mode="max")
        self.ledger, self.task, self.folder, self.progress, self.halt = ledger, task, folder, progress, halt
        self.deaths = deaths
        self._assignments: Iterator[Assignment] = ledger.assignments()
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> Any:
        assignment = None
        with self.halt.on_refusal():
            assignment = next(self._assignments, None)
        if assignment is None:
            return Searcher.FINISHED
        number = assignment.number
        self._numbers[trial_id] = number
        self.progress.started(number, assignment.config)
        chosen = {"number": number, "config": assignment.config, "seed": assignment.seed}
        return self.task | chosen | {"folder": address(self.folder / training_name(number))}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        number = self._numbers.pop(trial_id)
        with self.halt.on_refusal():
            reason = self.deaths.given_up.pop(number, (result or {}).get(FAILED))
            if reason and self.deaths.is_in_doubt(number) and self.ledger.lose(number):
                self.progress.lost(number, reason)
                return
            if reason and not self.halt.reason:
                self.ledger.fail(number, reason)
            elif error:  # Tune's word, as when a worker died between two trials; it is no fault of the second
                self.ledger.again(number)
            self.progress.ended(number, self.ledger.finish(number), self.ledger)

    # The ledger's storage is what a restart reads. Tune's own copy of a searcher would be a second truth, so nothing is
    # kept, and there is no `restore`.
    def save(self, checkpoint_path: str) -> None:
        Path(checkpoint_path).write_bytes(b"")


class _LedgerScheduler(_Unsaved, FIFOScheduler):
    """Asks the ledger after each epoch whether a trial goes on, and after each death of a worker, whether it does."""

    def __init__(self, ledger: Ledger, progress: Progress, halt: _Halt, deaths: Deaths) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ledger, self.progress, self.halt, self.deaths = ledger, progress, halt, deaths
        self._repeating: set[int] = set()

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        number = trial.config["number"]
        with self.halt.on_refusal():
            epoch = self.ledger.epochs_of(number)
            reason = self.deaths.why_to_give_up(number, epoch)
            if reason:
                self.deaths.given_up[number] = reason
                if bad := self.deaths.bad_node():
                    self.halt.because(bad)
            else:
                self.progress.died(number, epoch, self.deaths.now.words)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        given_up = self.deaths.given_up
        for trial in tune_controller.get_trials() if given_up else ():
            if trial.status == trial.PENDING and trial.config["number"] in given_up:
                tune_controller.stop_trial(trial)
        return super().choose_trial_to_run(tune_controller)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        number = trial.config["number"]
        if HALTED in result:
            self.halt.because(result[HALTED])
        if DYING in result:
            self.deaths.foretold(number, result[DYING])
        if VALUE not in result:
            return str(TrialScheduler.CONTINUE)
        epoch, stop = result["epoch"], False
        with self.halt.on_refusal():
            if self.ledger.has(number, epoch) and not (result["replayed"] or number in self._repeating):
                self._repeating.add(number)
                self.progress.repeats(number, epoch)
            stop = self.ledger.report(number, epoch, result[VALUE], json.loads(result["figures"]))
            occupied = {CPUS: trial.config["threads"], GPUS: trial.config["gpu"]}
            self.ledger.note(number, **{NODE: result["node"]}, **occupied)
            if not result["replayed"]:  # what a checkpoint knows, a node tells that trains nothing
                self._blame(self.deaths.lives(result[NODE_IP]))
            self.progress.epoch(number, epoch, result[VALUE])
        return str(TrialScheduler.STOP if stop else TrialScheduler.CONTINUE)

    def _blame(self, lost: dict[int, str]) -> None:
        """These came to nothing on a node that is well."""
        for number, reason in lost.items():
            if number not in self.deaths.given_up and not self.ledger.finish(number).is_finished():
                self.ledger.fail(number, reason)
                self.progress.ended(number, TrialState.FAIL, self.ledger)


class _Interrupt(_Unsaved, Stopper):
    """Ends everything when a signal asked for it, or no node is left; trials stay unfinished in the ledger."""

    def __init__(self, halt: _Halt, nodes: Nodes) -> None:
        self.halt, self.nodes = halt, nodes

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        if why := self.nodes.none_left():
            self.halt.because(why)
        return self.halt.interrupted.is_set()


def execute(
    ledger: Ledger,
    *,
    train: TableReference,
    probe: TableReference,
    families: Sequence[str],
    folder: Path,
    attempts: Path,
    slots: Slots,
    progress: Progress,
    interrupted: threading.Event,
    loggers: Sequence[tune.Callback] = (),
) -> None:
    """Run all remaining assignments, of which there must be some. Returns early when `interrupted` is set.

    Raises Halted when the study's folder cannot be written to or a node fails what it is given, Overtaken when another
    driver has written there; nothing that was recorded is lost, and trials that had not ended stay unfinished.

    families: of the probe, those that the objective averages over. folder: checkpoints, one folder per trial.
    attempts: where Tune keeps what it needs while it runs. loggers: Tune's callbacks for other tools.
    """
    task = {
        "train": (train.path, train.digest),
        "probe": (probe.path, probe.digest),
        "cache": str(slots.cache) if slots.cache else None,
        "families": families,
        "threads": slots.cpus,
        "gpu": slots.gpus,
        "memory": slots.memory,
    }
    halt, deaths = _Halt(interrupted), Deaths()
    with progress, halt.on_refusal(), deaths.told_by_tune(), outliving_its_folder(interrupted):
        while ledger.waiting and not interrupted.is_set():
            _attempt(ledger, task, folder, attempts, slots, progress, halt, deaths, loggers)
            for number in deaths.begun_anew():
                if not ledger.finish(number).is_finished():
                    ledger.again(number)
    if halt.overtaken:
        raise halt.overtaken
    if halt.reason:
        raise Halted(halt.reason)


def _attempt(
    ledger: Ledger,
    task: dict[str, Any],
    folder: Path,
    attempts: Path,
    slots: Slots,
    progress: Progress,
    halt: _Halt,
    deaths: Deaths,
    loggers: Sequence[tune.Callback],
) -> None:
    """Hand out everything that remains. A trial that Tune gave up, and the ledger did not, remains for another."""
    tune.Tuner(
        tune.with_resources(run_trial, slots.resources()),
        tune_config=tune.TuneConfig(
            search_alg=_LedgerSearcher(ledger, task, folder.resolve(), progress, halt, deaths),
            scheduler=_LedgerScheduler(ledger, progress, halt, deaths),
            num_samples=ledger.remaining(),
            max_concurrent_trials=slots.count,
            reuse_actors=True,  # a fresh process spends five seconds on importing torch
        ),
        run_config=tune.RunConfig(
            name=f"attempt-{uuid4().hex[:8]}",
            storage_path=address(attempts.resolve()).removeprefix("s3://"),
            storage_filesystem=filesystem() if is_remote(attempts.resolve()) else None,
            failure_config=tune.FailureConfig(max_failures=-1),  # `deaths` decides
            stop=_Interrupt(halt, Nodes(slots, progress.waits)),
            callbacks=[Silent(), Idle(slots, progress.idle), *loggers],
            verbose=0,
        ),
    ).fit()
