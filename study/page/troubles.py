"""What failed, and what a reader should keep in mind."""

from collections import Counter

from optuna.trial import TrialState

from core.best import is_of
from core.errors import StudyError
from study.figures.detectors import detectors_info
from study.page.html import Child, Html, Section, join, listing, paragraphs, table, tag
from study.page.replicated import families_held_out
from study.page.trials import trial_button
from study.page.words import count, series
from study.records import StudyRecord, TrialRecord

SHOWN = 50
FEW_SUBJECTS = 10
FEW_PROBED = 5
FEW_FAMILIES = 2
MANY_FORCED = 0.05


def troubles_section(record: StudyRecord) -> Section:
    """Failures with their reasons, then warnings."""
    body = join(tag("h3", "Failures"), _failures(record), tag("h3", "Warnings"), _warnings(record))
    return Section("troubles", "Failures", "What failed, and what to keep in mind", body)


def _failures(record: StudyRecord) -> Html:
    failed = [
        (phase, trial) for phase, found in record.phases.items() for trial in found if trial.state == TrialState.FAIL
    ]
    if not failed:
        return paragraphs("Nothing failed.")
    rows: list[list[Child]] = [
        [
            phase,
            trial_button(trial.number) if phase == "search" else trial.number,
            trial.shape or "–",
            _reason(trial),
            trial.epochs,
            trial.node or "–",
        ]
        for phase, trial in failed[:SHOWN]
    ]
    reasons = Counter(_reason(trial) for _, trial in failed).most_common(1)
    words = f"{count(len(failed), 'training')} failed; failed trials are never asked again and cannot win."
    if len(failed) > SHOWN:
        words += f" The first {SHOWN} are listed; the commonest reason, {reasons[0][1]} times: {reasons[0][0]}"
    head = ("phase", "trial", "masks", "reason", "epochs", "node")
    return join(paragraphs(words), table(head, rows, words=4))


def _reason(trial: TrialRecord) -> str:
    return trial.reason or "no reason was recorded"


def _warnings(record: StudyRecord) -> Html:
    found = warnings_of(record)
    return listing(found) if found else paragraphs("None.")


def warnings_of(record: StudyRecord) -> list[str]:
    """Everything that weakens what the report says, one sentence each."""
    found = [*_unfinished(record), *_thin(record), *_stale(record)]
    for role in ("train", "test"):
        reference = getattr(record.definition, role)
        try:
            skipped = reference.open().metadata.skipped if reference else ()
        except StudyError:
            continue
        found += [f"{role} table: {file} was skipped: {reason}" for file, reason in skipped[:SHOWN]]
    return found


def _unfinished(record: StudyRecord) -> list[str]:
    found = []
    if record.unfinished:
        found.append(
            f"{count(len(record.unfinished), 'trial')} of the search had not ended when this report was written."
        )
    if len(record.trials) < record.planned:
        found.append(f"{len(record.trials)} of {record.planned} planned trials have begun.")
    for phase, trials in record.phases.items():
        late = [trial for trial in trials if not trial.state.is_finished()]
        if late and phase != "search":
            found.append(f"{count(len(late), 'training')} ({phase}) had not ended when this report was written.")
    return found


def _thin(record: StudyRecord) -> list[str]:
    found = []
    judging = families_held_out(record)
    if 0 < len(judging) <= FEW_FAMILIES:
        found.append(
            f"The objective rests on {series(judging)} alone, since every other family of the probe is like something "
            "that was trained on: what finds these best need not find other lesions best. See the test by arm or "
            "control, and compare fewer kinds of transforms at a time."
        )
    if record.best is not None:
        if len(record.best["replicates"]) < 2 and not record.compares_arms:
            found.append("Only one configuration was replicated: there is no runner-up, so no lead can be measured.")
        if len(record.best["subjects"]["probe"]) < FEW_PROBED:
            subjects = count(len(record.best["subjects"]["probe"]), "subject")
            found.append(
                f"The probe is made of {subjects}: the verdict's intervals are over seeds, and do not tell whether "
                "what is best there is best on others."
            )
        if len(record.best["seeds"]) < 5:
            seeds = len(record.best["seeds"])
            found.append(f"{seeds} seeds make wide intervals; 5 or more (study.seeds) are better for a decision.")
    for row in detectors_info(record.evaluation).detectors:
        if row.is_control and row.gain is not None and row.gain.high < 0:
            found.append(
                f"On the test table the control {row.name} is clearly better than the winner, which the probe did not "
                "foresee: choosing it for that now would be choosing on the test table."
            )
    test = (record.evaluation or {}).get("test")
    if test and len(test["subjects"]) < FEW_SUBJECTS:
        found.append(f"The test table has {count(len(test['subjects']), 'subject')}: its intervals are rough.")
    if test and test.get("opened", 1) > 1:
        found.append(
            f"The test table was opened {test['opened']} times, as the winner was trained again, or another found: if "
            "anybody acted on what it showed, its figures no longer come from unseen data."
        )
    if test and test["anomalous_slices"] == 0:
        found.append("No test slice holds a lesion: nothing about finding them can be said.")
    for trial in record.trials:
        drawn = sum(figures.get("redrawn", 0) + figures.get("forced", 0) for figures in trial.figures.values())
        forced = sum(figures.get("forced", 0) for figures in trial.figures.values())
        if forced > MANY_FORCED * max(drawn, 1) and forced > trial.epochs:
            found.append(f"Trial {trial.number}: {forced:.0f} pseudo-outliers had to be forced to be visible.")
    return found


def _stale(record: StudyRecord) -> list[str]:
    found = []
    if record.best is not None and record.evaluation is not None:
        if not is_of(record.evaluation, record.best):
            found.append("The test results are of another verdict than this: run python -m core.train --best again.")
        if record.evaluation.get("study") != record.best.get("study"):
            found.append(f"The test results belong to a study named {record.evaluation.get('study')}.")
    if record.space is None and not record.compares_arms:
        found.append("The recorded search space cannot be read by this version of the program.")
    return found
