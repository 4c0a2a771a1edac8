"""Small stored studies: made through Optuna and the project's own writers, so that a change of format shows here."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import optuna
import torch
from optuna.trial import TrialState

from core.best import find_best
from core.config import Config, differences, from_dict, to_dict
from core.durable import write_json
from core.evaluation import evaluate
from core.examples import write_examples
from core.families import FAMILIES
from core.results import detector_entry, floor_entry, leads, pair_differences, verdict_on_floor
from core.sample_maps import FILE as SAMPLE_MAPS
from core.sample_maps import rows_to_sample, write_sample_maps
from core.slices.layout import TableMetadata, VolumeSlices
from core.slices.table import SliceTable, write_table
from study.folder import OBJECTIVE, OBJECTIVE_TEXT, Definition, StudyFolder, TableReference
from study.ledger import CONFIG, CPUS, EPOCHS, GPUS, REASON, SEED, Ledger, open_study
from study.records import TrialRecord, records_of
from study.search_source import PAPER, SearchSource
from study.selection import candidates, decide, plain
from study.space import Space

HOSTILE = '<script>alert(1)</script> & "quoted" \'</style>'
BUDGET = 4
MAPPED = 30  # no more of a large study's trials keep maps, for the tests' sake
SEEDS = [1000, 1001, 1002]
SPACE = """
preset = "paper"
[study]
trials = 9
grace = 1
reduction = 3
top = 2
seeds = 3
[fixed]
"training.epochs" = 4
[space]
"synthesis.mask.kind" = { choices = ["brush", "circle"] }
"synthesis.mask.max_radius" = { low = 8.0, high = 24.0, when = { "synthesis.mask.kind" = ["circle"] } }
"synthesis.mix.noise.std" = { low = 0.1, high = 1.0, log = true }
"loss.alpha" = { low = 0.0, high = 1.0 }
[controls]
square = { "synthesis.mask.kind" = "square" }
"""
End = tuple[TrialState, int]
"""How a trial ended, and after how many epochs."""
FULL, CUT, FAIL, LIVE = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING
MIXED: list[End] = [(FULL, 4), (CUT, 1), (FULL, 4), (CUT, 3), (FAIL, 1), (CUT, 1), (FULL, 4), (FAIL, 0), (LIVE, 2)]


def fill(study: optuna.Study, space: Space, ends: list[End], reason: str) -> None:
    """Trials with the objective 0.1 * epoch + 0.01 * number; even ones are brushes, odd ones circles."""
    for number, (state, epochs) in enumerate(ends):
        kind = ("brush", "circle")[number % 2]
        study.enqueue_trial({"synthesis.mask.kind": kind}, user_attrs={PAPER: True} if number == 0 else None)
        trial = study.ask()
        config = space.configure(space.suggest(trial))
        trial.set_user_attr(SEED, 0)
        trial.set_user_attr(CPUS, 2)
        trial.set_user_attr(GPUS, 0.5)
        trial.set_user_attr(CONFIG, to_dict(config))
        for epoch in range(1, epochs + 1):
            trial.set_user_attr(f"{EPOCHS} {epoch}", {"seconds": 2.0, "evaluation_seconds": 0.5, "forced": 0})
            trial.report(0.1 * epoch + 0.01 * number, epoch)
        if state == FAIL:
            trial.set_user_attr(REASON, reason)
        if state == FULL:
            study.tell(trial, 0.1 * epochs + 0.01 * number)
        elif state != LIVE:
            study.tell(trial, state=state)


def optimised(objective: Callable[[optuna.Trial], float], count: int, seed: int) -> tuple[TrialRecord, ...]:
    """Trials of one epoch, drawn at random."""

    def trained(trial: optuna.Trial) -> float:
        value = objective(trial)
        trial.report(value, 1)
        return value

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=seed))
    study.optimize(trained, count)
    return records_of(study)


def replicate(study: optuna.Study, configs: dict[int, Config], seeds: list[int] = SEEDS) -> None:
    """Each configuration under each seed; the first one leads by 0.1, give or take a seed's 0.01."""
    for seed in seeds:
        for place, (number, config) in enumerate(configs.items()):
            study.enqueue_trial({"trial": number, "seed": seed})
            trial = study.ask()
            trial.suggest_int("trial", 0, 2**53)
            trial.suggest_int("seed", 0, 2**53)
            trial.set_user_attr(CONFIG, to_dict(config))
            figures = {f"family.{name}.average_precision": 0.2 for name in FAMILIES}
            figures |= {f"sample.{n}.auroc": 0.6 for n in ("mean", "smooth_max", "foreground_mean", "foreground_top")}
            trial.set_user_attr(f"{EPOCHS} {BUDGET}", figures | {"sample.top.auroc": 0.7, "seconds": 8.0})
            value = 0.5 - 0.1 * place + 0.01 * (seed % 10) * (1 + place)
            trial.report(value, BUDGET)
            study.tell(trial, value)


def intensity(batch: torch.Tensor) -> torch.Tensor:
    """A detector: how bright a pixel is."""
    return torch.logit(batch, eps=1e-3)


class Stored:
    """A study folder, brought from stage to stage as the real programs would."""

    def __init__(self, root: Path, space: Space) -> None:
        self.folder, self.space = StudyFolder(root / "runs" / "small"), space
        self.train = _table(root / "train.arrow", "healthy", lesions=False)
        self.probe = _table(root / "probe.arrow", "probe", lesions=True, families=list(FAMILIES))
        self.test = _table(root / "test.arrow", "test", lesions=True, families=["bright", "dark"])
        tables = [TableReference.to(table) for table in (self.train, self.probe, self.test)]
        self.folder.define(Definition("small", SPACE, *tables))

    def search(self, ends: list[End], reason: str = "out of memory") -> None:
        """Trials in the journal, and the sample maps of those that were scored: the slices themselves, as logits."""
        fill(open_study(self.folder.journal, "search"), self.space, ends, reason)
        rows = rows_to_sample(self.probe)
        for number, (_, epochs) in enumerate(ends[:MAPPED]):
            if epochs:
                path = self.folder.training("search", number) / SAMPLE_MAPS
                write_sample_maps(path, intensity, self.probe, rows, device=torch.device("cpu"))

    def ask(self, trials: int) -> None:
        """Another start of the search, with --trials, that was stopped before anything was trained."""
        Ledger(open_study(self.folder.journal, "search"), SearchSource(self.space, trials), BUDGET, 0)

    def decide(self) -> None:
        """Replicates in the journal, and best.json."""
        search = open_study(self.folder.journal, "search").get_trials()
        ranked = sorted((t for t in search if t.state == FULL), key=lambda t: -(t.value or 0))[:2]
        replicates = open_study(self.folder.journal, "replicates")
        replicate(replicates, {trial.number: from_dict(trial.user_attrs[CONFIG]) for trial in ranked})
        configs = {trial.number: from_dict(trial.user_attrs[CONFIG]) for trial in search if CONFIG in trial.user_attrs}
        verdict = decide(candidates(replicates, SEEDS, BUDGET))
        winner = replace(configs[verdict.winner.trial], score=verdict.score)
        definition = self.folder.definition()
        best = {
            "format": 1,
            "study": self.folder.name,
            "objective": {"name": OBJECTIVE, "text": OBJECTIVE_TEXT},
            "verdict": plain(verdict),
            "config": to_dict(winner),
            "differences": differences(winner),
            "controls": {"square": to_dict(self.space.control("square", winner))},
            "seeds": SEEDS,
            "replicates": [
                {
                    "trial": one.trial,
                    "values": list(one.values),
                    "interval": asdict(one.interval),
                    "figures": list(one.figures),
                    "config": to_dict(configs[one.trial]),
                }
                for one in verdict.candidates
            ],
            "tables": {role: asdict(getattr(definition, role)) for role in ("train", "probe", "test")},
            "subjects": {role: list(getattr(self, role).subjects) for role in ("train", "probe", "test")},
        }
        write_json(self.folder.best, best)
        self.winner, self.control = winner, self.space.control("square", winner)

    def retrain(self) -> None:
        """evaluation.json and examples.npz, the detectors being intensity and its reverse."""
        device = torch.device("cpu")
        seen = [evaluate(intensity, self.test, device=device, by_size=True)] * len(SEEDS)
        reversed_ = evaluate(lambda batch: -intensity(batch), self.test, device=device, by_size=True)
        entries = [
            detector_entry("winner", to_dict(self.winner), SEEDS, seen, seen),
            detector_entry("square", to_dict(self.control), SEEDS, [reversed_] * len(SEEDS), seen),
            floor_entry("position", reversed_, self.winner.score),
        ]
        pairs = pair_differences({"winner": seen, "square": [reversed_] * len(SEEDS), "position": [reversed_]})
        against = leads(pairs, "winner")
        result = {
            "format": 1,
            "study": self.folder.name,
            "best": find_best(str(self.folder.root)).digest,
            "seeds": SEEDS,
            "shipped": {"seed": 1000, "rule": "", "objectives": [0.1]},
            "provenance": {"python": "3.11", "packages": {"torch": "2"}, "threads": 1},
            "seconds_per_training": {"winner": 3.0, "square": 3.0},
            "taken_over": {"winner": 3, "square": 1},
            "test": {
                "path": str(self.test.path),
                "digest": self.test.digest,
                "subjects": list(self.test.subjects),
                "slices": len(self.test),
                "anomalous_slices": int((~self.test.normal).sum()),
                "source": {},
            },
            "entries": entries,
            "differences": against,
            "pairs": pairs,
            "floor_verdict": verdict_on_floor(entries, against),
            "floor_objectives": {"intensity": 0.0512, "position": 0.0321},
        }
        write_json(self.folder.retrained / "evaluation.json", result)
        write_examples(self.folder.retrained / "examples.npz", intensity, self.test, device=device, score="mean")


def _table(path: Path, name: str, *, lesions: bool, families: list[str] | None = None) -> SliceTable:
    """Four subjects with noisy discs; a lesion is a bright square in every second slice."""
    rng = np.random.default_rng(len(name))
    about = {name: {"held_out": name in families[-2:]} for name in families} if families else {}
    source = {"kind": "probe", "families": about} if name == "probe" else {}

    def volumes() -> Iterator[VolumeSlices]:
        count = 2 * len(families or [""])
        rows, columns = np.mgrid[:32, :32]
        disc = (rows - 16) ** 2 + (columns - 16) ** 2 < 180
        for number in range(4):
            images = (rng.integers(60, 160, (count, 32, 32)) * disc).astype(np.uint8)
            masks = np.zeros_like(images)
            if lesions:
                masks[::2, 10:18, 9:16] = 1
                images[::2][:, 10:18, 9:16] += 70
            kinds = [family for one in families or [""] for family in (one or None, None)]
            index = np.arange(count, dtype=np.int32)
            yield VolumeSlices("data", f"{name}-{number}", "t2", images, masks if lesions else None, index, kinds)

    return write_table(path, volumes(), TableMetadata(source=source))
