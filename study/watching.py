"""Writing a report again and again while its studies run, whenever something changed, until they are finished."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from optuna.trial import TrialState

from core.mirror import is_remote
from study.folder import StudyFolder
from study.lock import driver
from study.recorded_space import arms_of, searching_arms
from study.records import StudyRecord, TrialRecord, read_study
from study.replicates import leaders


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

    There can be none when every trial of the search failed, or of so many arms' own searches that fewer than two arms
    are left, or when a training of each replicated configuration, or of all arms but one, failed: failed trainings are
    never asked again.
    """
    if record.ended < len(record.trainings):
        return False
    if record.compares_arms:
        return record.ablation is not None or _lost(record.replicates, least=2) or _too_few_arms(record)
    if len(record.trials) < record.planned:
        return False
    if record.best is not None:
        return _is_verdict_of_now(record)
    return _unscored(record.trials) or _lost(record.replicates, least=1)


def _is_verdict_of_now(record: StudyRecord) -> bool:
    """Whether best.json is of all that is recorded: a search that went on since may have other trials to replicate."""
    best = record.best or {}
    runs: dict[Any, set[Any]] = {}
    for run in record.replicates:
        ended = runs.setdefault(run.params.get("trial"), set())
        ended |= {run.params.get("seed")} if run.state == TrialState.COMPLETE else set()
    whole = {trial for trial, seeds in runs.items() if seeds >= set(best["seeds"])}
    top = record.space.study.top if record.space else 0
    return runs.keys() >= set(leaders(record.trials, top)) and whole == {one["trial"] for one in best["replicates"]}


def _too_few_arms(record: StudyRecord) -> bool:
    """Whether the arms' own searches have ended and left fewer than two arms to compare."""
    searches = {arm: record.arm_searches.get(arm, ()) for arm in searching_arms(record.definition)}
    # They are carried out one after the other, so those to come have no trials yet.
    if any(len(found) < record.requested.get(f"search-{arm}", 1) for arm, found in searches.items()):
        return False
    lost = sum(_unscored(found) for found in searches.values())
    return len(arms_of(record.definition)) - lost < 2


def _unscored(trials: Sequence[TrialRecord]) -> bool:
    """Whether all trials of a search failed."""
    return bool(trials) and all(trial.state == TrialState.FAIL for trial in trials)


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
