"""An ablation's page: which arm, how sure, what each cost."""

from typing import Any

from study.figures.arms import ArmsInfo, arms_info, draw_arms, draw_gaps
from study.page.glossary import glossary
from study.page.html import Child, Html, Section, code, facts, join, paragraphs, plot, table, tag
from study.page.tested import result
from study.page.words import (
    count,
    duration,
    figure,
    floor_words,
    interval,
    settings,
    snapshot,
    subjects_in_words,
)
from study.records import StudyRecord


def ablation_section(record: StudyRecord) -> Section:
    """Verdict, every seed a point, every pair, and what each arm changes and costs."""
    found, title = record.ablation, "Which arm, and how sure we are"
    if found is None:
        if record.running:
            words = f"{record.running}: {record.ended} of {count(len(record.trainings), 'training')} begun have ended. "
            return Section("verdict", "Verdict", title, paragraphs(words + snapshot(record.read)))
        ended = sum(trial.state.is_finished() for trial in record.replicates)
        words = f"Not decided yet: {count(ended, 'training')} of {len(record.replicates)} begun ended. "
        return Section("verdict", "Verdict", title, paragraphs(words + "The same command goes on where it stopped."))
    info = arms_info(found)
    return Section(
        "verdict",
        "Verdict",
        title,
        join(_card(record, found), glossary(), _arms(info, record), _pairs(info, found, record)),
    )


def headline_of(found: dict[str, Any] | None) -> tuple[str, str]:
    """The state of an ablation in a few words, and a class: good or open."""
    if found is None:
        return "Not decided yet", "open"
    return ("No clear winner", "open") if found["verdict"].startswith("No clear winner") else ("A clear winner", "good")


def _card(record: StudyRecord, found: dict[str, Any]) -> Html:
    state, kind = headline_of(found)
    searched = found["searched_trials"]
    told = [
        ("Objective", record.objective_text),
        ("Subjects", subjects_in_words(record.best)),
        ("Floor", floor_words(record.floor)),
        ("Families judged by", ", ".join(found["objective"]["families"])),
        ("Seeds", ", ".join(map(str, found["seeds"]))),
        ("Budget", f"{found['epochs']} epochs a training" + (f"; {searched} trials of search an arm" * bool(searched))),
    ]
    if shared := _shared(found):
        told.append(("Every arm changes", settings(shared)))
    sentences = [tag("p", found["verdict"], class_="sentence")]
    # Ablations of an earlier version never left an arm out.
    for name, reason in found.get("left_out", {}).items():
        sentences.append(tag("p", f"{name} is left out: {reason}.", class_="sentence"))
    sentences += [tag("p", words, class_="sentence") for words in result(record)]
    if record.untested:
        sentences.append(tag("p", record.untested, class_="sentence"))
    return tag("div", tag("p", state, class_=f"badge {kind}"), *sentences, facts(told), class_="card")


def _shared(found: dict[str, Any]) -> dict[str, Any]:
    """What every arm changes in the same way."""
    first, *others = (arm["differences"] for arm in found["arms"].values())
    return {
        name: value for name, value in first.items() if all(name in other and other[name] == value for other in others)
    }


def _arms(info: ArmsInfo, record: StudyRecord) -> Html:
    found = record.ablation or {}
    shared = _shared(found)
    head = ("arm", "changes", "mean and interval", "parameters", "a training", "slices a second")
    rows: list[list[Child]] = []
    for arm in info.arms:
        told = found["arms"][arm.name]
        cost = told["cost"]
        own = {name: value for name, value in told["differences"].items() if name not in shared}
        gpu = f" + {duration(cost['gpu_seconds'])} GPU" if cost["gpu_seconds"] else ""
        mean = {"estimate": arm.mean[0], "low": arm.mean[1], "high": arm.mean[2]}
        rows.append(
            [
                arm.name, settings(own) if own else "nothing more", interval(mean, 4),
                f"{cost['parameters']:,}", f"{duration(cost['core_seconds'])} core{gpu}",
                f"{cost['slices_per_second']:.0f}",
            ]
        )  # fmt: skip
    return join(
        table(head, rows, caption="Objective, and what an arm costs", words=2, marked=(0,)),
        paragraphs(
            "Intervals are Student's for the mean over seeds: they speak of trainings on these subjects. How far a "
            "figure carries to other subjects, the intervals of the test below tell."
        ),
        plot(
            draw_arms(info, record.objective, record.floor),
            name="arms",
            alt=f"The objective of {len(info.arms)} arms under {len(info.seeds)} seeds, with intervals.",
            caption="Hollow symbols are seeds, bars are means with 95 % intervals."
            + (" The dashed line needs no training." if record.floor else ""),
        ),
    )


def _pairs(info: ArmsInfo, found: dict[str, Any], record: StudyRecord) -> Html:
    head = ("pair", "difference and interval", "p", "p, signs", "p, Holm", "effect", "verdict")
    rows: list[list[Child]] = [
        [
            f"{pair['first']} − {pair['second']}", interval(pair["difference"], 4), f"{pair['p']:.2g}",
            "–" if pair["p_exact"] is None else f"{pair['p_exact']:.2g}", f"{pair['corrected']:.2g}",
            figure(pair["effect"], 1), "apart" if pair["apart"] else "not told apart",
        ]
        for pair in found["pairs"]
    ]  # fmt: skip
    marked = [index for index, pair in enumerate(found["pairs"]) if pair["apart"]]
    return join(
        tag("h3", "Paired differences"),
        plot(
            draw_gaps(info, record.objective),
            name="arms-paired",
            alt=f"Differences of {info.arms[0].name} to each other arm under common seeds, with intervals.",
            caption="The same seed for both, so what a seed does to both cancels. Small symbols are seeds, bars are "
            "means with 95 % intervals; the mean is filled and coloured where the two are apart after correction.",
        ),
        table(head, rows, caption="Every pair", marked=marked),
        paragraphs(
            join(
                "p is of Student's t over the seeds' differences; p, signs tries every assignment of signs and assumes "
                f"no distribution, but with {count(len(info.seeds), 'seed')} is never below "
                f"{2 / 2 ** len(info.seeds):.2g}; Holm corrects for {count(len(rows), 'pair')}. The effect is Hedges' "
                "g. Settings by ",
                code("[arms]"), f" of {record.definition.space_name}, all else equal.",
            )
        ),
    )  # fmt: skip
