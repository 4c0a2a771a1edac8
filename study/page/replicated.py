"""How sure are we: the best configurations again under fresh seeds."""

from core.errors import StudyError
from study.figures.families import draw_families, families_info
from study.figures.replicated import ReplicatesInfo, draw_differences, draw_replicates, replicates_info
from study.page.html import Child, Html, Section, join, paragraphs, plot, table, tag
from study.page.trials import trial_button
from study.page.words import count, figure, interval
from study.records import StudyRecord
from study.selection import trials_named


def replicated_section(record: StudyRecord) -> Section:
    """Every seed a point, intervals, and paired differences."""
    info = replicates_info(record.replicates)
    title = "How sure are we"
    if not info.configurations:
        words = "No replicate has finished yet." if record.replicates else "Nothing was replicated yet."
        words += " The best trials and the preset's own are trained again under fresh seeds when the search has ended."
        return Section("replicates", "Replicates", title, paragraphs(words))
    return Section(
        "replicates",
        "Replicates",
        title,
        join(_points(info, record), _differences(info, record.objective), _probe(record)),
    )


def _points(info: ReplicatesInfo, record: StudyRecord) -> Html:
    own = {trial.number for trial in record.trials if trial.is_base}
    seeds = sorted({seed for one in info.configurations for seed in one.values})
    head = ("configuration", "masks", "mean and interval", *(f"seed {seed}" for seed in seeds))
    rows: list[list[Child]] = [
        [
            join("trial ", trial_button(one.trial), ", the preset's own" if one.trial in own else ""),
            one.shape or "–",
            interval(one.interval, 4),
        ]
        + [figure(one.values.get(seed), 4) for seed in seeds]
        for one in info.configurations
    ]
    waiting = f" {count(info.unfinished, 'replicate')} still to come." if info.unfinished else ""
    return join(
        paragraphs(
            "The best trials of the search, those at full budget first, and the preset's own choice, trained again in "
            "full under seeds that no search has seen: the best of many trials looks better than it is, and this is "
            "what remains of it. Intervals are Student's for the mean over seeds: they speak of trainings on these "
            "subjects. How far a figure carries to other subjects, the intervals of the test tell."
            f"{waiting}"
        ),
        table(head, rows, caption="Objective at full budget", words=2, marked=(0,)),
        plot(
            draw_replicates(info, record.objective),
            name="replicates",
            alt=f"The objective of {len(info.configurations)} configurations under {len(seeds)} seeds, with intervals.",
            caption="Hollow symbols are seeds, dotted lines join the same seed, bars are means with 95 % intervals.",
        ),
    )


def _differences(info: ReplicatesInfo, objective: str) -> Html:
    if not info.differences:
        return paragraphs("Only one configuration was replicated, so there is no difference to show.")
    runner = info.differences[0]
    leader = info.configurations[0].trial
    # What failed under some seed has no part in the verdict, and none here in what the lead is said to be.
    seeds = len(info.configurations[0].values)
    whole = [other for other in info.differences if len(other.values) == seeds] or info.differences
    fewer = [one.trial for one in info.configurations if len(one.values) < seeds]
    near = [other.trial for other in whole if other.interval.low <= 0]
    words = (
        f"includes 0 for {trials_named(near)}: these seeds do not tell trial {leader} from "
        f"{'them' if len(near) > 1 else 'it'}."
        if near
        else f"lies above 0 for every other configuration{' that finished under every seed' if fewer else ''}: "
        "the lead is clear."
    )
    if fewer:
        words += f" Shown over fewer seeds: {trials_named(fewer)}."
    return join(
        tag("h3", "Paired differences"),
        paragraphs(
            join(
                f"Trial {leader} minus trial {runner.trial}, seed by seed: ",
                interval(runner.interval, 4),
                f". The interval {words}",
            )
        ),
        plot(
            draw_differences(info, objective),
            name="replicates-paired",
            alt=f"Differences of trial {leader} to the other configurations under common seeds, with intervals.",
            caption="Both were trained under the same seeds, so what a seed does to both cancels. Circles are seeds, "
            "bars are means with 95 % intervals.",
        ),
    )


def _probe(record: StudyRecord) -> Html:
    """What the winner sees of the probe, family by family."""
    if record.best is None:
        return Html("")
    held_out = families_held_out(record)
    series = [
        (f"trial {one['trial']}", str(one["config"]["synthesis"]["mask"]["kind"]), one["figures"])
        for one in record.best["replicates"]
    ]
    info = families_info(series, held_out=held_out)
    if not info.families:
        return Html("")
    shares = ""
    if held_out and info.series[0].values:
        means = {name: sum(v) / len(v) for name, v in info.series[0].values.items()}
        inside = [value for name, value in means.items() if name not in held_out]
        outside = [value for name, value in means.items() if name in held_out]
        if inside and outside:
            shares = (
                f"The winner's mean is {sum(inside) / len(inside):.3f} on families that resemble what it may train on, "
                f"and {sum(outside) / len(outside):.3f} on those held out."
            )
    return join(
        tag("h3", "The probe, family by family"),
        paragraphs(
            f"The objective is {record.objective_text}. Families marked as held out resemble nothing that any trial "
            f"may train on. {shares}"
        ),
        plot(
            draw_families(info),
            name="probe-families",
            alt=f"Pixel average precision on the probe by family; hardest for the winner: {info.families[0]}.",
            caption="Symbols are means over seeds, bars their range; within a family from the top in the legend's "
            "order.",
        ),
    )


def families_held_out(record: StudyRecord) -> list[str]:
    """Families of the probe that no trial may train on; none when the probe is gone."""
    try:
        return record.definition.judged_by()
    except StudyError:
        return []
