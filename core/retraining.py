"""From best.json to a detector for use: the winner and its controls trained under every seed, then tested once."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.best import Best, digest, is_of
from core.checkpoint import save_detector
from core.config import Config, to_dict
from core.device import choose_device, uses_bf16
from core.durable import write_json
from core.evaluation import Evaluation, Scorer, evaluate, objective, scorer_of
from core.examples import write_examples
from core.families import held_out_families
from core.floor import Baseline, floor_scorers
from core.jobs import Job, trained
from core.mirror import fetch
from core.panels import look, rows_to_show, write_panels
from core.postprocessing import Choice, Postprocessing, choose, postprocessed, restorer_of
from core.prediction.inference import Inference, save_inference
from core.protocols.beside_paper import Described, beside_paper
from core.provenance import provenance
from core.results import (
    POSTPROCESSED,
    detector_entry,
    floor_entry,
    leads,
    pair_differences,
    postprocessed_entry,
    verdict_on_floor,
)
from core.slices.split import require_disjoint
from core.slices.table import SliceTable

FORMAT = 1  # of evaluation.json
Say = Callable[[str], None]


def retrain(best: Best, *, device: str = "auto", say: Say) -> Path:
    """Train, test once, and write `retrained/`: detector, inference.json, evaluation.json, examples.npz, panels.npz.

    Training goes on from checkpoints when it was interrupted. The weights written are those of the seed that scored
    highest on the probe: the test table has no say in the choice. Without a test table nothing is tested.
    """
    target = best.folder / "retrained"
    chosen = choose_device(device)
    table, probe = best.table("train"), best.table("probe")
    rows = table.rows_without(probe.subjects)
    trained = np.unique(table.subject[rows]).tolist()
    # Whether it is there, and the same, is known before hours are spent; its slices are looked at last.
    test = best.table("test") if best.data["tables"]["test"] else None
    if test is not None:
        require_disjoint(train=trained, probe=probe.subjects, test=test.subjects)
    seeds: list[int] = best.data["seeds"]
    found = _train(best, table, rows, target / "checkpoints", chosen, say)
    winner = found.detectors["winner"]
    on_probe = {
        name: [evaluate(scorer, probe, device=chosen) for scorer in scorers] for name, scorers in found.scorers.items()
    }
    families = best.data["objective"].get("families") or held_out_families(probe)
    objectives = [objective(evaluation.figures(), families) for evaluation in on_probe["winner"]]
    baselines = floor_scorers(table.images(rows), probe, chosen)
    floor_objectives = {
        name: objective(evaluate(baseline, probe, device=chosen).figures(), families)
        for name, baseline in baselines.items()
    }
    shipped = int(np.argmax(objectives))
    save_detector(target, winner[shipped], best.configs["winner"])
    save_inference(target, Inference.of(table, on_probe["winner"][shipped], trained))
    result: dict[str, Any] = {
        "format": FORMAT,
        "study": best.data["study"],
        "best": best.digest,
        "seeds": seeds,
        "shipped": {"seed": seeds[shipped], "rule": "highest objective on the probe", "objectives": objectives},
        "floor_objectives": floor_objectives,
        "provenance": provenance(chosen) | {"bf16": found.bf16["winner"]},
        "seconds_per_training": {name: float(np.mean(spent)) for name, spent in found.seconds.items()},
        "taken_over": found.taken,
        "tables": {role: _recorded(one) for role, one in (("train", table), ("probe", probe))},
        "test": None,
        "entries": [],
    }
    if test is not None:
        say("choosing post-processing on the probe")
        steps = [_step(detector, probe, chosen, found.bf16["winner"]) for detector in winner]
        opened = _opened_before(target / "evaluation.json", test) + 1
        often = "once" if opened == 1 else f"again, {opened} times now, so its figures are no longer of unseen data"
        say(f"opening the test table {often}: {len(test)} slices of {len(test.subjects)} subjects")
        entries, pairs = _test(best, found, on_probe, steps, baselines, probe, test, chosen)
        against = leads(pairs, "winner")
        described = Described.of(test)
        held_out = len({*table.subjects} & {*probe.subjects})
        result["tables"]["test"] = _recorded(test)
        result["test"] = _describe(test, best) | {"opened": opened, "described": str(described)}
        result |= {"entries": entries, "differences": against, "pairs": pairs}
        result["floor_verdict"] = verdict_on_floor(entries, against)
        result["paper"] = beside_paper(entries, described, Described.of(table), held_out)
        score = best.configs["winner"].score
        write_examples(target / "examples.npz", found.scorers["winner"][shipped], test, device=chosen, score=score)
        first = {name: (found.detectors[name][0], scorers[0]) for name, scorers in found.scorers.items()}
        write_panels(target / "panels.npz", look(first, test, rows_to_show(test), chosen))
    write_json(target / "evaluation.json", result)
    return target


@dataclass(frozen=True)
class _Trained:
    """By name of a configuration: a detector for each seed and its scorer, the seconds that each took, how many were
    taken over from the study, and whether it computes under bf16."""

    detectors: dict[str, list[nn.Module]]
    scorers: dict[str, list[Scorer]]
    seconds: dict[str, list[float]]
    taken: dict[str, int]
    bf16: dict[str, bool]


def _train(
    best: Best, table: SliceTable, rows: NDArray[np.intp], checkpoints: Path, device: torch.device, say: Say
) -> _Trained:
    """Every configuration under every seed, from checkpoints and the study's replicates where there are any."""
    seeds: list[int] = best.data["seeds"]
    jobs = [
        Job(name, config, seed, table, rows, str(device), checkpoints / f"{_digest(config)}-{seed}")
        for name, config in best.configs.items()
        for seed in seeds
    ]
    lying = {job.folder for job in jobs if best.take_over(job.name, job.seed, job.folder)}
    if lying:
        say(f"{len(lying)} trainings taken over from the study's replicates")
    say(f"training {', '.join(best.configs)} under seeds {', '.join(map(str, seeds))}")
    bf16 = {name: uses_bf16(config.training, device) for name, config in best.configs.items()}
    found = _Trained({}, {}, {}, dict.fromkeys(best.configs, 0), bf16)
    for job, spent in trained(jobs):
        over = job.folder in lying and not spent.epochs  # a checkpoint of another format was passed over
        how = f"taken over, {spent.seconds:.0f} s in the study" if over else f"trained, {spent.seconds:.0f} s"
        say(f"{job.name}, seed {job.seed}: {how}")
        # Everything is in the checkpoint by now, so this trains nothing: it is how the weights come back.
        *_, last = job.epochs()
        found.detectors.setdefault(job.name, []).append(last.detector)
        found.scorers.setdefault(job.name, []).append(scorer_of(last.detector, bf16=bf16[job.name]))
        found.seconds.setdefault(job.name, []).append(spent.seconds)
        found.taken[job.name] += over
    return found


class _Step(NamedTuple):
    """The post-processing of one detector: what was chosen for it, and its scorer with it."""

    settings: Postprocessing
    choice: Choice
    scorer: Scorer


def _step(detector: nn.Module, probe: SliceTable, device: torch.device, bf16: bool) -> _Step:
    scorer, restorer = scorer_of(detector, bf16=bf16), restorer_of(detector, bf16=bf16)
    settings, choice = choose(scorer, probe, device, restorer)
    return _Step(settings, choice, postprocessed(scorer, settings, restorer))


def _test(
    best: Best,
    found: _Trained,
    on_probe: dict[str, list[Evaluation]],
    steps: list[_Step],
    baselines: dict[str, Baseline],
    probe: SliceTable,
    test: SliceTable,
    device: torch.device,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Entries of evaluation.json, the winner's first and second with post-processing, and differences of all pairs."""
    on_test = {
        name: [evaluate(scorer, test, device=device, by_size=True) for scorer in scorers]
        for name, scorers in found.scorers.items()
    }
    floors = {name: evaluate(baseline, test, device=device, by_size=True) for name, baseline in baselines.items()}
    after = {
        where: [
            raw if step.settings.does_nothing else evaluate(step.scorer, slices, device=device, by_size=where == "test")
            for step, raw in zip(steps, raws, strict=True)
        ]
        for where, slices, raws in (("probe", probe, on_probe["winner"]), ("test", test, on_test["winner"]))
    }
    pairs = pair_differences(on_test | {POSTPROCESSED: after["test"]} | {name: [run] for name, run in floors.items()})
    score, seeds = best.configs["winner"].score, best.data["seeds"]
    entries = [
        detector_entry(name, to_dict(best.configs[name]), seeds, runs, on_probe[name]) for name, runs in on_test.items()
    ] + [floor_entry(name, run, score, baselines[name].window) for name, run in floors.items()]
    choices = [(step.settings, step.choice) for step in steps]
    entries.insert(1, postprocessed_entry(entries[0], choices, after["test"], after["probe"]))
    return entries, pairs


def is_current(best: Best) -> bool:
    """Whether retrained/ already belongs to this best.json, and is complete; see `core.best.is_of`."""
    try:
        evaluation = json.loads(fetch(best.folder / "retrained" / "evaluation.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return is_of(evaluation, best.data)


def _digest(config: Config) -> str:
    """Of a configuration, without the slice score, which has no part in training."""
    return digest(to_dict(config) | {"score": None})


def _recorded(table: SliceTable) -> dict[str, Any]:
    about = table.metadata
    told = {"slices": len(table), "source": about.source, "preprocessing": about.preprocessing}
    return told | {"digest": table.digest}


def _describe(test: SliceTable, best: Best) -> dict[str, Any]:
    return {
        **best.data["tables"]["test"],
        "subjects": list(test.subjects),
        "slices": len(test),
        "anomalous_slices": int((~test.normal).sum()),
        "source": test.metadata.source,
    }


def _opened_before(evaluation: Path, test: SliceTable) -> int:
    """How often this study has tested on this table already, as after a search that was extended."""
    try:
        before = json.loads(evaluation.read_text(encoding="utf-8"))["test"] or {}
        return int(before.get("opened", 1)) if before.get("digest") == test.digest else 0
    except (FileNotFoundError, ValueError, KeyError):
        return 0
