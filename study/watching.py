"""Writing a report again and again while its studies run, whenever something changed, until they are finished."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from optuna.trial import TrialState

from core.mirror import is_remote
from study.folder import StudyFolder
from study.lock import driver
from study.records import StudyRecord, TrialRecord, read_study


def watch(
    find: Callable[[], Sequence[StudyFolder]],
    write: Callable[[Sequence[StudyRecord], bool], None],
    seconds: float,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Look every so many seconds; call `write` with the studies and whether it is the last time.

    find: the studies, copied anew from object storage where they lie there. A study that nobody carries on is waited
    for: it may be started again.
    """
    seen: Any = None
    while True:
        folders = find()
        now = [stamp(folder) for folder in folders]
        if now != seen:
            seen = now
            records = [read_study(folder) for folder in folders]
            finished = all(is_finished(record) for record in records)
            write(records, finished)
            if finished:
                return
        pause(seconds)


def is_finished(record: StudyRecord) -> bool:
    """Whether nothing more will be trained: there is a verdict, or there can be none, and no training is open.

    There can be none when every trial of the search failed, or when a training of each replicated configuration, or of
    all arms but one, failed: failed trainings are never asked again.
    """
    if any(not trial.state.is_finished() for trial in record.trainings):
        return False
    if record.compares_arms:
        return record.ablation is not None or _lost(record.replicates, least=2)
    if len(record.trials) < record.planned:
        return False
    if record.best is not None:
        return True
    none_left = not any(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in record.trials)
    return bool(record.trials) and (none_left or _lost(record.replicates, least=1))


def _lost(replicates: Sequence[TrialRecord], least: int) -> bool:
    """Whether all replicates ended and fewer configurations than `least` finished under every seed."""
    failed = {trial.params.get("trial") for trial in replicates if trial.state != TrialState.COMPLETE}
    left = {trial.params.get("trial") for trial in replicates} - failed
    return bool(replicates) and len(left) < least


def stamp(folder: StudyFolder) -> Any:
    """Something that differs when the report would: of the files, the driver, and trials where a database has them."""
    retrained = folder.retrained
    files = (folder.best, folder.ablation, retrained / "evaluation.json", retrained / "examples.npz")
    known: list[Any] = [(path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else None for path in files]
    known.append(driver(folder.root))
    if folder.definition().database or is_remote(folder.root):
        record = read_study(folder)
        return (
            known,
            record.planned,
            [(name, [(t.state, t.epochs) for t in trials]) for name, trials in record.phases.items()],
        )
    journal = folder.journal
    return known, journal.stat().st_size if journal.exists() else 0
