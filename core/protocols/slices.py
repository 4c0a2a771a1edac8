"""The paper's protocol: every slice of a table, pooled over pixels and over slices, beside the floor and the paper."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.best import Best, find_best
from core.checkpoint import load_detector
from core.config import to_dict
from core.device import choose_device, uses_bf16
from core.errors import BadInput
from core.evaluation import evaluate, scorer_of
from core.floor import floor_scorers
from core.halving import require_halving
from core.mirror import address, fetch
from core.prediction.inference import load_inference
from core.protocols.beside_paper import Described, beside_paper
from core.results import detector_entry, floor_entry, leads, pair_differences, verdict_on_floor
from core.slices.alike import require_alike, require_other_scans
from core.slices.split import require_disjoint
from core.slices.table import SliceTable, open_table


def score_table(
    detector: Path | None, table: Path | None, validation: Path | None, normal: Path | None, device: str
) -> dict[str, Any]:
    """Score a detector on a slice table, as plain data in the form of evaluation.json, with `detector` and `paper`.

    What is None is taken from the study that the detector belongs to; without a detector, from the newest study.
    validation sets Dice's threshold; normal holds healthy slices for the floor. Raises BadInput when a detector without
    a study lacks a table, when tables do not fit each other or the detector, or lack what they are for; BadStudy when
    there is no study.
    """
    chosen = choose_device(device)
    belongs = detector is None or fetch(detector.parent / "best.json").exists()
    study = find_best(str(detector.parent) if detector else None) if belongs else None
    folder = detector or (study.folder if study else Path()) / "retrained"
    network, config = load_detector(folder, chosen)
    tables = _tables(folder, study, table, validation, normal)
    slices, probe, healthy, rows = tables
    require_halving(config, slices.height, slices.width)
    scorer = scorer_of(network, bf16=uses_bf16(config.training, chosen))
    on_test, on_probe = (evaluate(scorer, each, device=chosen) for each in (slices, probe))
    baselines = floor_scorers(healthy.images(rows), probe, chosen)
    floors = {name: evaluate(baseline, slices, device=chosen) for name, baseline in baselines.items()}
    name = "winner" if study else "detector"
    entries = [detector_entry(name, to_dict(config), [0], [on_test], [on_probe])]
    entries += [floor_entry(floor, found, config.score, baselines[floor].window) for floor, found in floors.items()]
    pairs = pair_differences({name: [on_test]} | {floor: [found] for floor, found in floors.items()})
    trained_on = study and study.data["tables"]["train"]["digest"] == healthy.digest
    train = Described.of(healthy) if trained_on else None
    its_test = study.data["tables"]["test"] if study else None
    return {
        "detector": address(folder),
        "threshold_from": address(probe.path),
        "floor_from": address(healthy.path),
        "test": {
            "path": address(slices.path),
            "digest": slices.digest,
            "subjects": list(slices.subjects),
            "slices": len(slices),
            "described": str(Described.of(slices)),
            "of_study": study.data["study"] if study and its_test and its_test["digest"] == slices.digest else None,
        },
        "seeds": [0],
        "score": config.score,
        "entries": entries,
        "floor_verdict": verdict_on_floor(entries, leads(pairs, name)),
        "paper": beside_paper(entries, Described.of(slices), train, len({*healthy.subjects} & {*probe.subjects})),
    }


class _Tables(NamedTuple):
    """The table that is scored, the one that sets Dice's threshold, and rows of healthy slices for the floor."""

    slices: SliceTable
    probe: SliceTable
    healthy: SliceTable
    rows: NDArray[np.intp]


def _tables(
    folder: Path, study: Best | None, table: Path | None, validation: Path | None, normal: Path | None
) -> _Tables:
    opened: dict[str, SliceTable] = {}
    for role, path in (("test", table), ("probe", validation), ("train", normal)):
        if path is not None:
            opened[role] = open_table(path)
        elif study is not None:
            opened[role] = study.table(role)
        else:
            raise BadInput(
                f"{address(folder)}: belongs to no study, so name --test, --probe (which sets Dice's threshold) and "
                "--train (healthy slices for the floor)"
            )
    slices, probe, healthy = opened.values()
    known = load_inference(folder)
    if known and known.preprocessing:
        side = known.preprocessing.side
        require_alike(slices, (side, side), asdict(known.preprocessing), address(folder))
    if known:
        known.require_unseen(slices, "test")
        known.require_unseen(probe, "probe")
    for other in (probe, healthy):
        require_alike(other, (slices.height, slices.width), slices.metadata.preprocessing, str(slices.path))
    if probe.normal.all():
        raise BadInput(f"{probe.path}: holds no lesion, expected a probe or slices with masks, to set Dice's threshold")
    rows = healthy.rows_without(probe.subjects)
    rows = rows[healthy.normal[rows]]
    if not rows.size:
        raise BadInput(f"{healthy.path}: holds no healthy slices but of subjects of {probe.path}, so there is no floor")
    require_disjoint(train=np.unique(healthy.subject[rows]).tolist(), probe=probe.subjects, test=slices.subjects)
    if study is not None:  # whatever other tables were named, the detector has seen these
        seen = {f"the study's {role} table": study.data["subjects"][role] for role in ("train", "probe")}
        require_disjoint(**seen, test=slices.subjects)
    require_other_scans(healthy, slices, "test")
    require_other_scans(probe, slices, "test", "probe")
    return _Tables(slices, probe, healthy, rows)
