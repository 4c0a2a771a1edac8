"""The paper's protocol: every slice of a table, pooled over pixels and over slices, beside the floor and the paper."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.best import find_best
from core.checkpoint import load_detector
from core.config import to_dict
from core.errors import BadInput
from core.evaluation import evaluate, scorer_of
from core.floor import floor_scorers
from core.mirror import address, fetch
from core.prediction.inference import load_inference
from core.protocols.beside_paper import Described, beside_paper
from core.results import detector_entry, floor_entry, leads, pair_differences, verdict_on_floor
from core.slices.preprocess import Preprocessing
from core.slices.split import require_disjoint
from core.slices.table import SliceTable, open_table
from core.training import choose_device, require_halving, uses_bf16


def score_table(
    detector: Path | None, table: Path | None, validation: Path | None, normal: Path | None, device: str
) -> dict[str, Any]:
    """Score a detector on a slice table, as plain data in the form of evaluation.json, with `detector` and `paper`.

    What is None is taken from the study beside the detector, or from the newest. validation sets Dice's threshold;
    normal holds healthy slices for the floor. Raises BadInput when sizes differ, when subjects of the table are in
    another one, or when one of the three lacks what it is for; BadStudy when there is no study.
    """
    beside = detector is not None and fetch(detector.parent / "best.json").exists()
    study = partial(find_best, str(detector.parent) if detector and beside else None)
    chosen = choose_device(device)
    folder = detector or study().folder / "retrained"
    network, config = load_detector(folder, chosen)
    slices, probe, healthy = (
        open_table(path) if path else study().table(role)
        for path, role in ((table, "test"), (validation, "probe"), (normal, "train"))
    )
    for other in (probe, healthy):
        if (other.height, other.width) != (slices.height, slices.width):
            raise BadInput(
                f"{other.path}: slices of {other.height}x{other.width}, expected {slices.height}x{slices.width} "
                f"as in {slices.path}"
            )
    require_halving(config, slices.height, slices.width)
    made = inference.preprocessing if (inference := load_inference(folder)) else None
    warnings = _unlike(made, slices) if made else []
    if probe.normal.all():
        raise BadInput(f"{probe.path}: holds no lesion, expected a probe or slices with masks, to set Dice's threshold")
    rows = healthy.rows_without(probe.subjects)
    rows = rows[healthy.normal[rows]]
    if not rows.size:
        raise BadInput(
            f"{healthy.path}: holds no healthy slice of a subject that {probe.path} lacks, as the floor needs"
        )
    require_disjoint(train=np.unique(healthy.subject[rows]).tolist(), probe=probe.subjects, test=slices.subjects)
    scorer = scorer_of(network, bf16=uses_bf16(config.training, chosen))
    on_test, on_probe = (evaluate(scorer, each, device=chosen) for each in (slices, probe))
    baselines = floor_scorers(healthy.images(rows), probe, chosen)
    floors = {name: evaluate(baseline, slices, device=chosen) for name, baseline in baselines.items()}
    entries = [detector_entry("winner", to_dict(config), [0], [on_test], [on_probe])]
    entries += [floor_entry(name, found, config.score, baselines[name].window) for name, found in floors.items()]
    pairs = pair_differences({"winner": [on_test]} | {name: [found] for name, found in floors.items()})
    verdict = verdict_on_floor(entries, leads(pairs, "winner"))
    known = (beside or detector is None) and study().data["tables"]["train"]["digest"] == healthy.digest
    train = Described.of(healthy) if known else None
    return {
        "detector": address(folder),
        "warnings": warnings,
        "test": {
            "path": address(slices.path),
            "digest": slices.digest,
            "subjects": list(slices.subjects),
            "slices": len(slices),
            "described": str(Described.of(slices)),
        },
        "seeds": [0],
        "score": config.score,
        "entries": entries,
        "floor_verdict": verdict,
        "paper": beside_paper(entries, Described.of(slices), train, len({*healthy.subjects} & {*probe.subjects})),
    }


def _unlike(made: Preprocessing, table: SliceTable) -> list[str]:
    """In what the slices of a table were made otherwise than those that the detector knows.

    Raises BadInput when they have another size.
    """
    if table.height != made.side:
        raise BadInput(
            f"{table.path}: slices of {table.height} pixels, expected {made.side} as the detector was trained on"
        )
    has = table.metadata.preprocessing
    return [
        f"{table.path}: {name} is {has[name]}, and the detector was trained on slices with {getattr(made, name)}"
        for name in ("plane", "equalise")
        if has.get(name, getattr(made, name)) != getattr(made, name)
    ]
