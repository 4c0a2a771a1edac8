"""What stands behind the figures of the test: score histograms, results by size of lesion, calibration, the paper."""

from collections.abc import Sequence
from typing import Any

from core.errors import StudyError
from core.protocols.beside_paper import TITLES, Described, beside_paper
from study.figures.calibration import calibration_info, draw_calibration
from study.figures.scores import draw_scores, scores_info
from study.figures.sizes import QUANTITIES, draw_sizes, sizes_info
from study.page.html import Child, Html, details, join, paragraphs, plot, table, tag
from study.page.words import figure, interval, percent
from study.records import StudyRecord


def behind_figures(record: StudyRecord) -> Html:
    """Histograms, sizes and calibration, as far as the evaluation kept them."""
    entries: Sequence[dict[str, Any]] = (record.evaluation or {}).get("entries", [])
    if not any(entry.get("scores") for entry in entries):
        words = "The evaluation is of an earlier version, which kept no scores, sizes of lesions or calibration."
        return paragraphs(words)
    return join(_scores(entries), _sizes(entries), _calibration(entries))


def _scores(entries: Sequence[dict[str, Any]]) -> Html:
    info = scores_info(entries)
    if not info:
        return Html("")
    first, trained = info[0], sum(bool(entry.get("scores")) for entry in entries if entry["kind"] == "detector")
    left = f" Shown are the first {len(info)} of {trained} detectors." if len(info) < trained else ""
    return join(
        tag("h3", "Scores of normal and anomalous"),
        paragraphs(
            f"Under the first seed, the {first.name}'s scores of normal and of anomalous slices overlap by "
            f"{percent(first.slices.overlap)}, its values of normal and of anomalous pixels by "
            f"{percent(first.pixels.overlap)}: at {percent(0)} a threshold would part them, at {percent(1)} nothing "
            "could."
        ),
        plot(
            draw_scores(info),
            name="scores",
            alt=f"Histograms of slice scores and pixel values of {len(info)} detectors, normal against anomalous.",
            caption="Each class adds up to 1, so that few anomalous pixels are seen beside many normal ones. What lies "
            "beyond the outer 0.05 % of a class is in the outer bins. A segmenter's values are logits: at 0 its "
            f"probability is one half.{left}",
        ),
    )


def _sizes(entries: Sequence[dict[str, Any]]) -> Html:
    info = sizes_info(entries)
    title = tag("h3", "By size of lesion")
    if not info.sizes:
        return join(title, paragraphs("No slice of the test table holds a lesion."))
    rows: list[list[Child]] = []
    for one in info.series:
        means = [sum(v) / len(v) if v else None for quantity in QUANTITIES for v in one.values[quantity]]
        rows.append([one.name, *(figure(mean) for mean in means)])
    # No line of the head breaks within a size.
    sizes = [label.replace("–", "\u2060–\u2060").replace(" ", "\u00a0") for label in info.labels]
    head = ("detector", *(f"{words}, {size}" for words in QUANTITIES.values() for size in sizes))
    return join(
        title,
        paragraphs(
            "Slices with a lesion in classes of like number, by how many pixels of the slice are anomalous; each class "
            "together with all slices that have no lesion. Fewer anomalous pixels among as many normal ones make a "
            "lower AP by themselves, so compare a class between rows."
        ),
        table(head, rows, marked=(0,)),
        plot(
            draw_sizes(info),
            name="sizes",
            alt=f"Pixel AP and slice AUROC of {len(info.series)} detectors for lesions of {', '.join(info.labels)}.",
            caption="Symbols are means over seeds, bars their range.",
        ),
    )


def _calibration(entries: Sequence[dict[str, Any]]) -> Html:
    info = calibration_info(entries)
    title = tag("h3", "Calibration")
    if not info:
        return join(title, paragraphs("No detector's map is a probability, so there is nothing to calibrate."))
    return join(
        title,
        paragraphs(
            "The sigmoid of a segmenter's map is the probability that a pixel belongs to a pseudo-outlier. Whether it "
            "is that of a lesion as well: over all pixels, most of which are healthy and near 0, the "
            f"{info[0].name}'s mean distance from the dashed line is {info[0].error:.4f}. Below the line it gives "
            "alarm too often, above it too seldom."
        ),
        plot(
            draw_calibration(info),
            name="calibration",
            alt="; ".join(f"{one.name}: mean distance of predicted and observed {one.error:.4f}" for one in info),
            caption="Pixels of the frame, first seed, in bins of probability; both axes are logarithmic.",
        ),
    )


def paper_section(record: StudyRecord) -> Html:
    """Tables I and II with the paper's figures in columns of their own and the winner's beside them where they may."""
    title = tag("h3", "Beside the paper")
    parts, described = _beside(record)
    if not parts:
        return join(title, paragraphs("The test table can no longer be opened, and what it is was not recorded."))
    shown = []
    for part in parts:
        head = ("measure", *(f"{row['method']}, paper" for row in part["published"]), "winner, here")
        measured = part["measured"] or {}
        rows: list[list[Child]] = [
            [words, *(f"{row[name]:.2f}" for row in part["published"]), interval(measured.get(name), 2)]
            for name, words in TITLES.items()
        ]
        note = f"{part['note'][:1].upper()}{part['note'][1:]}." if part["note"] else ""
        shown.append(join(table(head, rows, caption=part["table"]), paragraphs(note)))
    about = (
        "A figure of this study stands beside the paper's only where its tables record the paper's own data and "
        f"settings. Measured here on {described}."
    )
    if any(part["measured"] for part in parts):
        return join(title, paragraphs(about), *shown)
    return join(title, paragraphs(f"{about} None may stand there."), details("The paper's Tables I and II", *shown))


def _beside(record: StudyRecord) -> tuple[list[dict[str, Any]], str]:
    """As recorded when the test was made, or from the tables as they lie."""
    evaluation = record.evaluation or {}
    if "paper" in evaluation:
        return evaluation["paper"], evaluation["test"]["described"]
    try:
        train, probe = record.definition.train.open(), record.definition.probe.open()
        test = record.definition.test.open() if record.definition.test else None
    except StudyError:
        return [], ""
    if test is None:
        return [], ""
    described = Described.of(test)
    held_out = len({*train.subjects} & {*probe.subjects})
    return beside_paper(evaluation["entries"], described, Described.of(train), held_out), str(described)
