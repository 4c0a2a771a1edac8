"""Entries of evaluation.json, each with intervals: detectors over their seeds, the winner post-processed, baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from core.bootstrap import Quantity, matched_interval, pixel_differences, pixel_interval, sample_interval
from core.config import ScoreName
from core.distributions import by_size, calibration, score_histograms
from core.evaluation import Evaluation
from core.intervals import Interval
from core.metrics import pooled
from core.postprocessing import Choice, Postprocessing

PAPER_SCORE: ScoreName = "mean"
POSTPROCESSED = "winner, post-processed"
QUANTITIES: tuple[Quantity, ...] = ("auroc", "average_precision")


def detector_entry(
    name: str,
    config: dict[str, Any],
    seeds: Sequence[int],
    on_test: Sequence[Evaluation],
    on_probe: Sequence[Evaluation],
) -> dict[str, Any]:
    """A trained detector: figures under each seed, and intervals over subjects and seeds.

    Dice is taken at the threshold that is best on the probe; the test table has no part in choosing it.
    """
    thresholds = [pooled(evaluation.frame.values()).best_dice()[0] for evaluation in on_probe]
    dice = [pooled(e.frame.values()).dice_at(threshold) for e, threshold in zip(on_test, thresholds, strict=True)]
    return {
        "name": name,
        "kind": "detector",
        "config": config,
        "seeds": list(seeds),
        "figures": [evaluation.figures() for evaluation in on_test],
        "intervals": _intervals(on_test, config["score"]),
        "dice": [None if value is None else float(value) for value in dice],
        "thresholds": [float(threshold) for threshold in thresholds],
        "curves": _curves(on_test[0]),
        "prevalence": on_test[0].pixel().prevalence,
        **_behind(on_test, config["score"]),
        "calibration": calibration(on_test[0]) if config["detector"]["kind"] == "segmenter" else None,
    }


def postprocessed_entry(
    winner: dict[str, Any],
    chosen: Sequence[tuple[Postprocessing, Choice]],
    on_test: Sequence[Evaluation],
    on_probe: Sequence[Evaluation],
) -> dict[str, Any]:
    """The winner with its maps post-processed: an entry of its own beside the raw one, which it never replaces.

    winner: its `detector_entry`. chosen: what was chosen on the probe, one per seed.
    """
    steps = [
        {"seed": seed, "settings": asdict(settings), "on_probe": choice._asdict()}
        for seed, (settings, choice) in zip(winner["seeds"], chosen, strict=True)
    ]
    entry = detector_entry(POSTPROCESSED, winner["config"], winner["seeds"], on_test, on_probe)
    # Steps on maps move their values, so these are no probabilities any more.
    entry |= {"calibration": None}
    return entry | {"kind": "postprocessed", "postprocessing": {"chosen_on": "probe", "by_seed": steps}}


def postprocessing_words(entries: Sequence[Mapping[str, Any]]) -> str:
    """What the post-processing of evaluation.json's entries does and where it was chosen; '' without any."""
    found = next((entry["postprocessing"] for entry in entries if entry["kind"] == "postprocessed"), None)
    if found is None:
        return ""
    nothing = asdict(Postprocessing())
    told = []
    for one in found["by_seed"]:
        steps = ", ".join(
            name if value is True else f"{name} {value:.3g}"
            for name, value in one["settings"].items()
            if value != nothing.get(name)
        )
        raw, chosen = one["on_probe"]["raw"], one["on_probe"]["chosen"]
        told.append(f"under {one['seed']}, {steps or 'nothing'} (pixel AP {raw:.3f} to {chosen:.3f})")
    return f"Post-processing was chosen on the {found['chosen_on']} for each seed: {'; '.join(told)}."


def entry_label(entry: Mapping[str, Any]) -> str:
    """The name of an entry as readers see it."""
    return f"floor: {entry['name']}" if entry["kind"] == "floor" else str(entry["name"])


def floor_entry(name: str, on_test: Evaluation, score: ScoreName, window: int = 1) -> dict[str, Any]:
    """A baseline that was not trained: intervals over subjects alone.

    score: the detectors' slice score. window: pixels over which the baseline is smoothed, 1 for none.
    """
    return {
        "name": name,
        "kind": "floor",
        "window": window,
        "config": None,
        "seeds": [],
        "figures": [on_test.figures()],
        "intervals": _intervals([on_test], score),
        "dice": [],
        "thresholds": [],
        "curves": _curves(on_test),
        "prevalence": on_test.pixel().prevalence,
        **_behind([on_test], score),
        "calibration": None,
    }


def best_floor(evaluation: Mapping[str, Any] | None) -> tuple[str, float] | None:
    """The baseline with the highest objective on the probe, and that; None in a file that does not tell, or without."""
    found: dict[str, float] = (evaluation or {}).get("floor_objectives", {})
    return max(found.items(), key=lambda item: item[1]) if found else None


def smoothing_words(entries: Sequence[Mapping[str, Any]]) -> str:
    """Over what evaluation.json's baselines are smoothed; '' where none is."""
    windows = {entry["name"]: entry["window"] for entry in entries if entry.get("window", 1) > 1}
    told = " and ".join(f"{name} over {window} x {window} pixels" for name, window in windows.items())
    return f"Averaged over tissue: {told}, the windows that are best on the probe." if told else ""


def pair_differences(runs: Mapping[str, Sequence[Evaluation]]) -> list[dict[str, Any]]:
    """Pixel-level average precision of every two, `first` minus `second`, with intervals over common subjects."""
    found = pixel_differences(
        {name: [run.by_subject() for run in each] for name, each in runs.items()}, "average_precision"
    )
    return [{"first": first, "second": second} | asdict(interval) for (first, second), interval in found.items()]


def leads(pairs: Sequence[Mapping[str, Any]], first: str) -> dict[str, Any]:
    """Of `pair_differences`, those of one over the others that come after it, by their names."""
    return {
        pair["second"]: {name: value for name, value in pair.items() if name not in ("first", "second")}
        for pair in pairs
        if pair["first"] == first
    }


def verdict_on_floor(entries: Sequence[dict[str, Any]], against: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the first entry beats the best baseline in pixel-level average precision, in words and as a flag.

    against: `leads` of the first over every other entry. Clear means that the interval over each baseline lies above 0:
    which of them is best is known from the same data alone, and the one that looks best may not be.
    """
    who = entries[0]["name"]
    names = [entry["name"] for entry in entries if entry["kind"] == "floor" and entry["name"] in against]
    if not names:
        why = "holds a single subject" if entries[0]["prevalence"] else "has no anomalous pixels"
        return {"clear": False, "sentence": f"The test table {why}, so nothing can be compared."}
    best = min(names, key=lambda name: against[name]["estimate"])
    near = min(names, key=lambda name: against[name]["low"])
    gap = against[best]
    figures = f"pixel AP is {_words(gap)} above {best}, the best score without training"
    if against[near]["low"] > 0:
        return {"clear": True, "sentence": f"The {who} clearly beats the floor: its {figures}."}
    if gap["low"] > 0:
        figures += f", and {_words(against[near])} above {near}, which includes 0"
    if gap["estimate"] > 0:
        return {"clear": False, "sentence": f"The {who} is not clearly above the floor: its {figures}."}
    figures = f"pixel AP minus that of {best}, the best score without training, is {_words(gap)}"
    return {"clear": False, "sentence": f"The {who} does not beat the floor: its {figures}."}


def _intervals(runs: Sequence[Evaluation], score: ScoreName) -> dict[str, dict[str, Any]]:
    """Of pixel figures, and of the slice scores that are reported: the paper's mean and the chosen one."""
    found: dict[str, Interval | None] = {}
    for quantity in QUANTITIES:
        for where, tissue in (("pixel", False), ("tissue", True)):
            found[f"{where}.{quantity}"] = pixel_interval([run.by_subject(tissue=tissue) for run in runs], quantity)
    for name in dict.fromkeys((PAPER_SCORE, score)):
        slices = [run.sample_by_subject(name) for run in runs]
        for quantity in QUANTITIES:
            found[f"sample.{name}.{quantity}"] = sample_interval(slices, quantity)
        found[f"sample.{name}.matched_auroc"] = matched_interval(slices, runs[0].strata_by_subject())
    return {name: asdict(interval) for name, interval in found.items() if interval is not None}


def _curves(evaluation: Evaluation) -> dict[str, Any]:
    curves = pooled(evaluation.frame.values()).thinned_curves()
    return {name: np.asarray(values).tolist() for name, values in curves._asdict().items()}


def _behind(runs: Sequence[Evaluation], score: ScoreName) -> dict[str, Any]:
    """Histograms of scores under the first seed, and results by size of lesion under every seed."""
    return {"scores": score_histograms(runs[0], score), "sizes": by_size(runs, score)}


def _words(interval: dict[str, Any]) -> str:
    return f"{interval['estimate']:+.3f} [{interval['low']:+.3f}, {interval['high']:+.3f}]"
