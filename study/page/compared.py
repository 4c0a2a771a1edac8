"""Several studies on one page: verdicts side by side, one table, what differs, and each study's sections folded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.mirror import address
from study.figures.detectors import WINNER, Estimate, detectors_info
from study.page.ablation import headline_of
from study.page.html import Child, Html, Section, code, join, paragraphs, table, tag
from study.page.spent import core_seconds, gpu_seconds
from study.page.verdict import headline, kind_of
from study.page.words import capital, count, duration, interval, series
from study.records import StudyRecord


@dataclass(frozen=True)
class Compared:
    """A study among others. key: prefix of its ids on the page; name: its own, or its place where names are alike."""

    key: str
    name: str
    record: StudyRecord

    @property
    def headline(self) -> tuple[str, str]:
        """The state in a few words, and a class: good, open or bad."""
        return headline_of(self.record.ablation) if self.record.compares_arms else headline(self.record)


def compared(records: Sequence[StudyRecord]) -> list[Compared]:
    """Name each study so that no two are alike."""
    names = [record.folder.name for record in records]
    return [
        Compared(
            f"study-{index}-",
            record.folder.name if names.count(record.folder.name) == 1 else address(record.folder.root),
            record,
        )
        for index, record in enumerate(records, 1)
    ]


def comparison(studies: Sequence[Compared]) -> list[Section]:
    """What a reader of several studies asks first."""
    return [
        Section("verdicts", "Verdicts", "The verdicts, side by side", _cards(studies)),
        Section("figures", "Figures", "The figures, side by side", _figures(studies)),
        Section("differences", "Differences", "What differs, and what can be compared", _differences(studies)),
    ]


def comparable(studies: Sequence[Compared]) -> list[str]:
    """Which objectives and which test figures can be compared, one sentence each."""
    probes = _groups(studies, lambda one: (one.record.definition.probe.digest, _judged(one), one.record.objective))
    tests = _groups(
        [one for one in studies if not one.record.untested],
        lambda one: one.record.definition.test.digest if one.record.definition.test else None,
    )
    found = []
    if len(probes) == 1:
        found.append("All are scored on the same probe by the same families, so their objectives can be compared.")
    else:
        found += [
            f"Objectives can be compared among {series(names)}, which share probe and families."
            for names in probes
            if len(names) > 1
        ]
        groups = " / ".join(series(names) for names in probes)
        found.append(f"Not comparable in objective, for they are scored on other probes or families: {groups}.")
    if len(tests) > 1:
        found.append(f"Not comparable on the test, for the tables differ: {' / '.join(series(n) for n in tests)}.")
    elif tests and len(tests[0]) > 1:
        found.append(f"The test figures of {series(tests[0])} are of the same table, so they can be compared.")
    return found


def _groups(studies: Sequence[Compared], key: Any) -> list[list[str]]:
    found: dict[Any, list[str]] = {}
    for one in studies:
        found.setdefault(key(one), []).append(one.name)
    return list(found.values())


def _judged(one: Compared) -> tuple[str, ...]:
    return tuple(sorted(one.record.definition.families))


def _cards(studies: Sequence[Compared]) -> Html:
    cards = []
    for one in studies:
        state, kind = one.headline
        best, verdict = one.record.best, (one.record.evaluation or {}).get("floor_verdict")
        words = capital(best["verdict"]["sentence"]) if best else "There is no winner yet."
        parts: list[Child] = [tag("h3", one.name), tag("p", state, class_=f"badge {kind}"), paragraphs(words)]
        parts.append(paragraphs(verdict["sentence"] if verdict else one.record.untested))
        parts.append(tag("p", tag("a", "All of this study", href=f"#{one.key}verdict")))
        cards.append(tag("div", *parts, class_="card"))
    return join(paragraphs(*comparable(studies)), tag("div", *cards, class_="cards"))


def _figures(studies: Sequence[Compared]) -> Html:
    quantities = {"pixel.average_precision": "pixel AP", "pixel.auroc": "pixel AUROC"}
    head = (
        "study", "winner", "objective", "lead over runner-up", "lead over floor", *quantities.values(), "slice AUROC",
        "trainings", "core, GPU time",
    )  # fmt: skip
    rows: list[list[Child]] = []
    for one in studies:
        record, best = one.record, one.record.best
        tested = detectors_info(record.evaluation).detectors
        winner = next((row for row in tested if row.name == WINNER), None)
        score = best["verdict"]["score"] if best else "mean"
        floors = [row.gain for row in tested if row.is_floor and row.gain is not None]
        lead = best["verdict"].get("difference") if best else None
        shown: list[Estimate | None] = [winner.estimates.get(name) if winner else None for name in quantities]
        shown.append(winner.estimates.get(f"sample.{score}.auroc") if winner else None)
        gpus = gpu_seconds(record.trainings)
        rows.append(
            [
                tag("a", one.name, href=f"#{one.key}verdict"), _winner(record), _reached(best), interval(lead),
                interval(min(floors, key=lambda gain: gain.estimate) if floors else None),
                *(interval(estimate) for estimate in shown), len(record.trainings),
                duration(core_seconds(record.trainings)) + (f", {duration(gpus)}" if gpus else ""),
            ]
        )  # fmt: skip
    return join(
        table(head, rows, words=2),
        paragraphs(
            "The objective is the winner's mean over its replicates, on the probe, and its lead over the runner-up is "
            "in that; their brackets are Student's 95 % intervals over seeds. The lead over the floor, in pixel AP, "
            "and the pixel and slice figures are of the test table; their brackets are 95 % intervals over subjects "
            "and seeds."
        ),
    )


def _winner(record: StudyRecord) -> str:
    if record.best is None:
        return "–"
    verdict = record.best["verdict"]
    name, kind = verdict.get("arm") or f"trial {verdict['winner']}", kind_of(record.best["config"])
    return name if kind == f"{name} masks" else f"{name}, {kind}"


def _reached(best: dict[str, Any] | None) -> Child:
    return interval(best["replicates"][0]["interval"], 4) if best else "–"


def _differences(studies: Sequence[Compared]) -> Html:
    told: dict[str, list[str]] = {}
    for one in studies:
        definition, space = one.record.definition, one.record.space
        families = ", ".join(definition.families) or "the probe's held-out ones"
        for name, value in (
            ("kind", "ablation" if one.record.compares_arms else "search"),
            ("space", definition.space_name),
            ("training table", definition.train.digest[:16]),
            ("probe", definition.probe.digest[:16]),
            ("test table", definition.test.digest[:16] if definition.test else "none"),
            ("objective", one.record.objective),
            ("families judged by", families),
            ("epochs of a full training", str(one.record.epochs)),
            ("trials", str(len(one.record.trials))),
            ("seeds", count(space.study.seeds, "seed") if space else "–"),
        ):
            told.setdefault(name, []).append(value)
    marked = [index for index, values in enumerate(told.values()) if len(set(values)) > 1]
    rows = [[name, *(code(value) for value in values)] for name, values in told.items()]
    head = ("what", *(one.name for one in studies))
    return join(
        paragraphs(*comparable(studies)),
        table(head, rows, words=len(head), marked=marked),
        paragraphs("Rows that differ are set off. A digest stands for the content of a table, wherever it lies."),
    )
