"""The words of a report for whoever meets them first."""

from study.page.html import Html, details, facts

_WORDS = {
    "pseudo-outlier": "a made-up lesion, pasted into a healthy slice, from which a detector learns",
    "anomaly map": "a detector's answer: a value for every pixel, higher where it takes it for abnormal",
    "AP": "average precision, the area under precision and recall: 1 is perfect, the share of anomalous pixels or "
    "slices is guessing; it falls with every false alarm, so it is strict where lesions are small",
    "AUROC": "how often a random anomalous pixel or slice scores higher than a random normal one: 1 is perfect, "
    "0.5 is guessing",
    "probe": "lesion-free slices of subjects that no trial trains on, with fixed pseudo-outliers: on it everything is "
    "chosen",
    "objective": "the one number by which trials are compared; higher is better",
    "trial": "one configuration, trained and scored on the probe; full budget: not stopped early",
    "the preset's own": "the configuration that the search began from: what there was without any search",
    "seed": "the number that all chance of a training follows from; replicates are trainings under fresh seeds",
    "floor": "scores that need no training, such as the brightness of a pixel: a detector should lie above them",
    "test": "subjects that had no part in any choice",
    "[low, high]": "a 95 % interval; of a difference, it tells two things apart where it does not include 0",
}


def glossary() -> Html:
    """The words in the order in which a reader meets them, folded."""
    return details("What the words of this report mean", facts(_WORDS.items()))
