"""What did it cost: trainings over time, the share of the slots that was used, epochs, core- and GPU-hours."""

from collections.abc import Sequence

from optuna.trial import TrialState

from study.figures.epochs import draw_epochs, epochs_info
from study.figures.timeline import UNKNOWN, draw_timeline, timeline_info
from study.page.html import Child, Html, Section, join, paragraphs, plot, table, tag
from study.page.words import count, duration, percent
from study.records import StudyRecord, TrialRecord


def spent_section(record: StudyRecord) -> Section:
    """Time and cost, as far as they were recorded."""
    if not record.phases:
        return Section("cost", "Cost", "What it cost", paragraphs("No training has begun, so nothing was spent."))
    parts = (_table(record), _timeline(record), _epochs(record))
    return Section("cost", "Cost", "What it cost", join(*parts))


def cost_in_words(record: StudyRecord) -> str:
    """What early stopping saved and what search and replicates took; '' before the first trial."""
    if not record.trials:
        return ""
    stopped = record.with_state(TrialState.PRUNED)
    saved = sum(record.epochs - trial.epochs for trial in stopped)
    run = sum(trial.epochs for trial in record.trials)
    if record.space and record.space.study.reduction == 1:
        return f"Early stopping was off.{_occupied(record)}"
    if not stopped:
        return f"Early stopping ended no trial.{_occupied(record)}"
    return (
        f"Early stopping ended {len(stopped)} of {count(len(record.trials), 'trial')} and saved "
        f"{count(saved, 'epoch')} of {run + saved}.{_occupied(record)}"
    )


def _occupied(record: StudyRecord) -> str:
    """Worker time times what a trial occupied, over all phases; '' when that was not recorded."""
    trials = [trial for trial in record.trainings if trial.cpus is not None]
    if not trials:
        return ""
    words = f" Search and replicates took {duration(core_seconds(trials))} of core time"
    gpus = gpu_seconds(trials)
    return f"{words} and {duration(gpus)} of GPU time." if gpus else f"{words}."


def core_seconds(trials: Sequence[TrialRecord]) -> float:
    """Worker time times the cores that each training occupied."""
    return sum(trial.seconds * (trial.cpus or 0) for trial in trials)


def gpu_seconds(trials: Sequence[TrialRecord]) -> float:
    """Worker time times the GPUs, or the share of one, that each training occupied."""
    return sum(trial.seconds * (trial.gpus or 0.0) for trial in trials)


def _table(record: StudyRecord) -> Html:
    """Trainings, epochs and time by phase."""
    rows: list[tuple[Child, ...]] = []
    for name, trials in record.phases.items():
        begun = [trial for trial in trials if trial.state != TrialState.WAITING]
        ended = [
            sum(trial.state == state for trial in begun)
            for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING)
        ]
        epochs, seconds = sum(t.epochs for t in begun), sum(trial.seconds for trial in begun)
        cores, gpus = core_seconds(begun), gpu_seconds(begun)
        times = (duration(seconds), duration(cores) if cores else "–", duration(gpus) if gpus else "–")
        rows.append((name, len(begun), *ended, epochs, *times))
    trainings, seconds, taken = retrained(record)
    if trainings:
        rows.append(
            ("retraining", trainings, trainings, 0, 0, 0, trainings * record.epochs, duration(seconds), "–", "–")
        )
    head = (
        "phase", "trainings", "full budget", "stopped early", "failed", "unfinished", "epochs", "worker time",
        "core time", "GPU time",
    )  # fmt: skip
    words = (
        f"{cost_in_words(record)} Worker time is training and scoring, summed over trainings; core and GPU time are "
        f"worker time times what each training occupied.{taken}"
    )
    return join(table(head, rows, caption="By phase"), paragraphs(words.strip()))


def retrained(record: StudyRecord) -> tuple[int, float, str]:
    """Trainings of core.train --best beyond those taken over from the study, their seconds, and both in words."""
    if not record.evaluation:
        return 0, 0.0, ""
    each: dict[str, float] = record.evaluation.get("seconds_per_training", {})
    seeds = len(record.evaluation["seeds"])
    if "taken_over" not in record.evaluation:
        unknown = " An earlier version did not record which of the retrainings were taken over from the study."
        return len(each) * seeds, sum(each.values()) * seeds, unknown if each else ""
    taken: dict[str, int] = record.evaluation["taken_over"]
    own = {name: seeds - taken[name] for name in each}
    over = sum(taken.values())
    words = f" {count(over, 'training')} of the study served the test as well and count once." if over else ""
    return sum(own.values()), sum(each[name] * own[name] for name in each), words


def _timeline(record: StudyRecord) -> Html:
    info = timeline_info(record.phases)
    if info.began is None:
        return join(tag("h3", "Trainings on nodes"), paragraphs("No start of a training was recorded."))
    nodes = count(max(sum(node != UNKNOWN for node, _ in info.lanes), 1), "node")
    idle = info.wall - info.active
    paused = f" In {duration(idle)} between, nothing ran." if idle > 0.01 * info.wall else ""
    return join(
        tag("h3", "Trainings on nodes"),
        paragraphs(
            f"The first training began on {info.began:%Y-%m-%d at %H:%M}, by the clock of the driver; "
            f"{duration(info.wall)} later the last one known had ended. Up to {count(info.slots, 'training')} ran at "
            f"once on {nodes}. While anything ran, these slots were occupied for {percent(info.occupied)} of their "
            f"time and trained or scored for {percent(info.busy)}; the rest is starting, loading, and what an "
            f"interrupted training waited.{paused}"
        ),
        plot(
            draw_timeline(info),
            name="timeline",
            alt=f"{len(info.spans)} trainings as bars on {nodes} over {duration(info.wall)}.",
            caption="One row per slot. Pale bars were stopped early or have not ended.",
        ),
    )


def _epochs(record: StudyRecord) -> Html:
    info = epochs_info(record.phases, record.epochs)
    if not any(phase.spent for phase in info.phases):
        return Html("")
    saved = sum(phase.saved for phase in info.phases)
    spent = sum(phase.spent for phase in info.phases)
    words = (
        f"Without early stopping these trainings would have taken {count(spent + saved, 'epoch')}; it saved {saved}."
    )
    return join(
        tag("h3", "Epochs"),
        paragraphs(words if saved else ""),
        plot(
            draw_epochs(info),
            name="epochs",
            alt="; ".join(f"{p.phase}: {p.spent} epochs trained, {p.saved} saved" for p in info.phases),
        ),
    )
