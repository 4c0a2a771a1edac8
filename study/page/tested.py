"""Does it find lesions: the test table against the floor, by family, and the curves behind the figures."""

from core.results import postprocessing_words, smoothing_words
from study.figures.detectors import WINNER, Detector, DetectorsInfo, detectors_info, draw_curves, draw_intervals
from study.figures.families import draw_families, families_info
from study.page.behind import behind_figures, paper_section
from study.page.html import Child, Html, Section, join, paragraphs, plot, table, tag
from study.page.pairs import every_pair
from study.page.words import count, figure, interval, percent, series
from study.records import StudyRecord

TITLE = "Does it find lesions"


def tested_section(record: StudyRecord) -> Section:
    """Everything that the test table says, or one sentence why it says nothing."""
    if record.untested:
        return Section("test", "Test", TITLE, paragraphs(record.untested))
    info = detectors_info(record.evaluation)
    score = record.best["verdict"]["score"] if record.best else "mean"
    body = join(_about(record, info), _tables(info, score), _figures(info, score), every_pair(record), _families(info))
    body = join(body, behind_figures(record), paper_section(record))
    return Section("test", "Test", TITLE, body)


def result(record: StudyRecord) -> list[str]:
    """What the test says of the winner, in sentences: its own figure and on whom, and the floor; none before it."""
    evaluation = record.evaluation
    if record.untested or evaluation is None:
        return []
    info = detectors_info(evaluation)
    found = info.detectors[0].estimates.get("pixel.average_precision") if info.detectors else None
    test, verdict = evaluation["test"], evaluation.get("floor_verdict")
    own = (
        f"On {count(test['slices'], 'slice')} of {count(len(test['subjects']), 'test subject')} the winner's pixel AP "
        f"is {found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}], the mean over "
        f"{count(len(evaluation['seeds']), 'seed')} with its 95 % interval over subjects and seeds; guessing reaches "
        f"{info.prevalence:.2g}."
        if found
        else ""
    )
    return [words for words in (own, verdict["sentence"] if verdict else "") if words]


def beside_controls(info: DetectorsInfo, *, arms: bool = False) -> str:
    """The winner against its controls, or the other arms, in words; '' without any."""
    found: dict[str, list[str]] = {"clearly above": [], "clearly below": [], "not told apart from": []}
    for row in info.detectors:
        if row.gain is not None and row.is_control:
            clear = "clearly above" if row.gain.low > 0 else "clearly below" if row.gain.high < 0 else ""
            lead = f"{row.name} ({row.gain.estimate:+.3f} [{row.gain.low:+.3f}, {row.gain.high:+.3f}])"
            found[clear or "not told apart from"].append(lead)
    one, many = ("the arm", "the arms") if arms else ("its control", "its controls")
    said = [f"{how} {one if len(names) == 1 else many} {series(names)}" for how, names in found.items() if names]
    looks = sum(map(len, found.values()))
    uncorrected = f" Nothing is corrected for {looks} looks." if looks > 1 else ""
    return f"In pixel AP on the test table the winner is {series(said)}.{uncorrected}" if said else ""


def _about(record: StudyRecord, info: DetectorsInfo) -> Html:
    evaluation = record.evaluation or {}
    test = evaluation["test"]
    share = test["anomalous_slices"] / max(test["slices"], 1)
    opened = test.get("opened", 1)
    steps = postprocessing_words(evaluation["entries"])
    often = "opened once, after the choice was made" if opened == 1 else f"opened {opened} times"
    verdict = evaluation.get("floor_verdict")
    # A search's card at the top compares with the controls.
    beside = beside_controls(info, arms=True) if record.compares_arms else ""
    return join(
        *(tag("p", words, class_="sentence") for words in (verdict["sentence"] if verdict else "", beside) if words),
        paragraphs(
            f"{count(test['slices'], 'slice')} of {count(len(test['subjects']), 'subject')}, {often}. "
            f"{test['anomalous_slices']} slices ({percent(share)}) hold a lesion; "
            f"{percent(info.prevalence, 2)} of all pixels are anomalous, which is the pixel AP of guessing.",
            f"Detectors were trained under {count(len(evaluation['seeds']), 'seed')}. Brackets are 95 % intervals over "
            "subjects and seeds. The floor is what needs no training: intensity is the slice itself, deviation its "
            "distance from the mean training slice, position that mean slice, tissue the area of the slice: a sample "
            f"AUROC near tissue's is what the height in the head gives away. {smoothing_words(evaluation['entries'])}",
            f"{steps} The winner's own row is of its raw maps and remains the result." if steps else "",
        ),
    )


def _tables(info: DetectorsInfo, score: str) -> Html:
    pixels = {
        "pixel.average_precision": "AP, frame",
        "pixel.auroc": "AUROC, frame",
        "tissue.average_precision": "AP, tissue",
        "tissue.auroc": "AUROC, tissue",
    }
    kinds = {"average_precision": "AP", "auroc": "AUROC", "matched_auroc": "AUROC at like area"}
    slices = {
        f"sample.{name}.{kind}": f"{short}, {name}"
        for name in dict.fromkeys(["mean", score])
        for kind, short in kinds.items()
    }
    marked = [index for index, row in enumerate(info.detectors) if row.name == WINNER]
    muted = [index for index, row in enumerate(info.detectors) if row.is_floor]
    by_pixel: list[list[Child]] = []
    by_slice: list[list[Child]] = []
    for row in info.detectors:
        lead: Child = "–" if row.name == WINNER else interval(row.gain)
        by_pixel.append([_name(row), *(interval(row.estimates.get(q)) for q in pixels), _dice(row), lead])
        by_slice.append([_name(row), *(interval(row.estimates.get(quantity)) for quantity in slices)])
    head = ("detector", *pixels.values(), "Dice", "winner's lead in AP")
    chosen = f" {score} was chosen on the probe." if score != "mean" else " It is also the one chosen on the probe."
    return join(
        table(head, by_pixel, caption="Pixels: where is it", marked=marked, muted=muted),
        paragraphs(
            "Frame counts every pixel, as the paper does; tissue only pixels above 0. Dice is at the threshold that is "
            "best on the probe, as mean and range over seeds. The lead is the winner minus the row, over common "
            "subjects: clear when the whole bracket lies on one side of 0."
        ),
        table(("detector", *slices.values()), by_slice, caption="Slices: is there any", marked=marked, muted=muted),
        paragraphs(
            f"A slice is ranked by one score of its map; mean is the paper's.{chosen} Lesions lie where heads are "
            "wide, so the area of a slice alone ranks slices, and a score that depends on it can look good or bad for "
            "that reason. At like area, a slice is compared only with those of the same tenth by tissue area."
        ),
    )


def _figures(info: DetectorsInfo, score: str) -> Html:
    led = any(row.gain for row in info.detectors)
    panels = {"pixel.average_precision": "pixel AP"}
    panels |= {"gain": "winner's lead"} if led else {"pixel.auroc": "pixel AUROC"}
    panels[f"sample.{score}.auroc"] = "slice AUROC"
    best = info.detectors[0].estimates.get("pixel.average_precision")
    return join(
        plot(
            draw_intervals(info, panels),
            name="test-figures",
            alt=f"Estimates with intervals of every detector and the floor; the winner's pixel AP is "
            f"{figure(best.estimate if best else None)}.",
            caption=f"Pixels over the frame, slices by {score}; the lead is in pixel AP. The floor is grey.",
        ),
        plot(
            draw_curves(info),
            name="test-curves",
            alt="ROC curves at the left, precision-recall curves at the right, of every detector and the floor; below "
            "them the same with logarithmic false positive rate and precision.",
            caption="Pixels of the whole frame, first seed; below, the same with a log axis for the false positive "
            "rate and for precision. Finely dotted red is what guessing reaches. At low prevalence the right panels "
            "decide: an AUROC can look good while most alarms are false.",
        ),
    )


def _families(info: DetectorsInfo) -> Html:
    runs_of = []
    for row in info.detectors:
        runs = [
            {name: values[seed] for name, values in row.by_seed.items() if seed < len(values)}
            for seed in range(max((len(values) for values in row.by_seed.values()), default=0))
        ]
        runs_of.append((row.label, row.shape, runs))
    found = families_info(runs_of)
    if not found.families:
        return paragraphs("The test table names no lesion families, so there are no figures by family.")
    rows: list[list[Child]] = []
    for one in found.series:
        cells: list[Child] = [one.name]
        for family in found.families:
            values = one.values.get(family, ())
            cells.append(figure(sum(values) / len(values)) if values else "–")
        rows.append(cells)
    caption = "Pixel AP by lesion family: its slices together with all lesion-free ones"
    return join(
        tag("h3", "By family of lesion"),
        table(("detector", *found.families), rows, caption=caption, marked=(0,)),
        plot(
            draw_families(found),
            name="test-families",
            alt=f"Pixel average precision by lesion family; hardest for the winner: {found.families[0]}.",
            caption="Symbols are means over seeds, bars their range; within a family from the top in the table's "
            "order. The hardest for the winner is at the bottom.",
        ),
    )


def _name(row: Detector) -> Child:
    if row.is_floor or not row.shape or not row.outliers:
        return row.label
    return join(
        row.label, " ", tag("span", f"{row.shape} masks" if row.name != row.shape else "masks", class_="spread")
    )


def _dice(row: Detector) -> Child:
    if not row.dice:
        return "–"
    mean = sum(row.dice) / len(row.dice)
    spread = f"({min(row.dice):.3f}–{max(row.dice):.3f})" if len(row.dice) > 1 else ""
    return join(f"{mean:.3f} ", tag("span", spread, class_="spread"))
