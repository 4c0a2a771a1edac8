"""What does it look like: pseudo-outliers as trained on, and anomaly maps on test slices."""

from core.config import from_dict
from core.errors import StudyError
from core.examples import LEAST_PIXELS
from core.synthesis import PseudoOutlier
from study.figures.detectors import uses_outliers
from study.figures.galleries import Example, Trained, draw_example, draw_trained, examples_info, trained_info
from study.page.html import Html, Section, gallery, join, paragraphs, picture, tag
from study.page.words import percent
from study.records import StudyRecord


def shown_section(record: StudyRecord) -> Section:
    """Two galleries of static pictures."""
    parts = (tag("h3", "Pseudo-outliers as trained on"), _trained(record), tag("h3", "Anomaly maps"), _examples(record))
    return Section("pictures", "Pictures", "What it looks like", join(*parts))


def _trained(record: StudyRecord) -> Html:
    if record.best is None:
        return paragraphs("There is no winner yet, so its pseudo-outliers cannot be drawn.")
    if not uses_outliers(record.best["config"]):
        return paragraphs("The winner's method learns from healthy slices alone and sees no pseudo-outliers.")
    seed = int(record.best["seeds"][0])
    try:
        config = from_dict(record.best["config"])
        probe = tuple(record.best["subjects"]["probe"])
        pairs = trained_info(config, record.definition.train.open(), probe, seed)
    except StudyError as gone:
        return paragraphs(f"They cannot be drawn: {gone}.")
    healthy = 1 - config.synthesis.probability
    left = f" {percent(healthy)} of the slices are left healthy; these are not shown." if healthy > 0 else ""
    return join(
        paragraphs(
            f"Training pairs of the winner in epoch 1 under seed {seed}, exactly as drawn: the healthy slice with its "
            f"pseudo-outlier, as the detector sees it, and the same with the contour of its label.{left}"
        ),
        gallery([picture(draw_trained(pair), alt=_describe(pair), caption=_caption(pair)) for pair in pairs]),
    )


def _caption(pair: Trained) -> str:
    return f"{pair.subject}, slice {pair.slice_index}: {_how(pair)}"


def _describe(pair: Trained) -> str:
    covered = percent(float((pair.label > 0).mean()), 1)
    return f"Healthy slice with a pseudo-outlier ({_how(pair)}), then its label's contour, {covered} of the frame."


def _how(pair: Trained) -> str:
    return "; ".join(map(_words, pair.outlier.layers))


def _words(outlier: PseudoOutlier) -> str:
    again = f", drawn {outlier.tries} times" if outlier.tries > 1 else ""
    return f"{outlier.change.words}{', forced' if outlier.forced else again}"


def _examples(record: StudyRecord) -> Html:
    examples = examples_info(record.folder.retrained / "examples.npz")
    if record.untested or not examples:
        return paragraphs(record.untested or "There is no examples.npz: core.train --best --again writes it anew.")
    lesions = [example for example in examples if not example.healthy]
    healthy = [example for example in examples if example.healthy]
    ranks: dict[str, list[Example]] = {}
    for example in lesions:
        ranks.setdefault(example.label, []).append(example)
    shown = [
        join(tag("h4", family), gallery([_picture(one, _rank(index, len(found))) for index, one in enumerate(found)]))
        for family, found in ranks.items()
    ]
    if healthy:
        shown.append(join(tag("h4", "healthy: highest scores"), gallery([_picture(one, "") for one in healthy])))
    return join(
        paragraphs(
            "Test slices chosen by rule, by the maps of the seed that is kept: of each family, of slices with at least "
            f"{LEAST_PIXELS} lesion pixels, the best, the middle and the worst by pixel AP within the slice, and the "
            "healthy slices with the highest anomaly score. On the left the slice, on the right the "
            "anomaly map as heat over it, with the contour of the truth. The heat has one scale for all slices: clear "
            "at the median of their pixels, bright at the highest 0.2 %."
        ),
        *shown,
    )


def _rank(index: int, of: int) -> str:
    return {0: "best", of - 1: "worst"}.get(index, "middle") if of > 1 else "only"


def _picture(example: Example, rank: str) -> Html:
    if example.healthy:
        words = f"{example.subject}, anomaly score {example.value:.3f}"
        alt = f"Test slice without a lesion, and its anomaly map; anomaly score {example.value:.3f}."
    else:
        words = f"{rank}: {example.subject}, AP {example.value:.3f}"
        alt = (
            f"Test slice with a lesion of {example.label} over {percent(float(example.truth.mean()), 1)} of the frame, "
            f"its contour, and the anomaly map; pixel AP {example.value:.3f}."
        )
    return picture(draw_example(example), alt=alt, caption=words)
