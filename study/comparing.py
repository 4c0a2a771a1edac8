"""An ablation from its arms to a verdict: each arm's own search, every arm under every seed, then the comparison."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from core.config import Config, differences
from core.durable import update_json
from core.errors import BadStudy
from core.families import held_out_families
from study.arms import Ablation
from study.best_file import REPLICATES, objective_told, write_best
from study.ledger import REASON, Ledger, open_study
from study.phases import Phases, resumable
from study.records import TrialRecord, records_of
from study.replicates import ReplicateSource, configured, leaders
from study.search_source import SearchSource
from study.selection import Candidate, Verdict, candidates, decide, plain
from study.statistics import compare, detectable, verdict
from study.trials import write_trials

FORMAT = 1
JUDGED = "judged by"  # attribute of an arm's search: the families of the probe


@dataclass
class Comparison:
    """One call of an ablation."""

    phases: Phases
    ablation: Ablation

    def run(self) -> dict[str, Any] | None:
        """Carry out what remains and write ablation.json, best.json and trials.parquet.

        None when it was interrupted or overtaken. An arm that cannot be trained is left out, with its reason, and the
        others are compared. best.json names the best arm as the winner and the others as its controls, so that
        `core.train --best` tests all of them. Raises Halted when the study's folder cannot be written to or a node
        fails, BadStudy when fewer than two arms are left.
        """
        return resumable(self._run)

    def _run(self) -> dict[str, Any] | None:
        self.phases.audit()
        storage, ablation = self.phases.storage, self.ablation
        opened = storage.open()
        chosen: dict[str, Config] = {}
        judged: dict[str, list[str]] = {}
        left_out: dict[str, str] = {}
        for name, arm in ablation.arms.items():
            if not arm.space:
                chosen[name] = ablation.config(name)
                continue
            searched = open_study(opened, storage.named(f"search-{name}"))
            judged[name] = self._families_of(name, searched)
            if not self._search(name, searched, judged[name]):
                return None
            best = leaders(records_of(searched), 1)
            if best:
                chosen[name] = configured(searched, best[0])
            else:
                left_out[name] = f"no trial of its search was scored{_failure(searched)}"
        self._require_two(list(chosen), left_out)

        names = list(chosen)
        study = open_study(opened, storage.named(REPLICATES))
        source = ReplicateSource(lambda number: chosen[names[number]], range(len(names)), ablation.seeds)
        ledger = Ledger(study, source, ablation.epochs, ablation.study.seed)
        finished = self.phases.carry_out(REPLICATES, ledger, chosen[names[0]])
        write_trials(study, self.phases.folder.trials, dict(enumerate(names)))
        if not finished:
            return None
        ranked = candidates(study, ablation.seeds, ablation.epochs)
        by_name = {names[one.trial]: one for one in ranked}
        for number, name in enumerate(names):
            if name not in by_name:
                left_out[name] = f"it did not finish under every seed{_failure(study, number)}"
        self._require_two(list(by_name), left_out)
        found = self._found(chosen, by_name, study, judged) | {"left_out": left_out}
        update_json(self.phases.folder.ablation, found)
        self._write_best(chosen, by_name, decide(ranked), found)
        return found

    def _search(self, name: str, study: optuna.Study, families: list[str]) -> bool:
        """An arm's own search, every trial in full; False when it was interrupted."""
        space, phase = self.ablation.space(name), f"search-{name}"
        source = SearchSource(space, space.study.trials)
        ended = self.phases.discarding(phase)
        ledger = Ledger(study, source, self.ablation.epochs, space.study.seed, ended=ended)
        return self.phases.carry_out(phase, ledger, space.base(), families)

    def _require_two(self, names: list[str], left_out: Mapping[str, str]) -> None:
        if len(names) < 2:
            why = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
            raise BadStudy(f"{self.phases.folder.root}: fewer than two arms are left to compare ({why})")

    def _families_of(self, name: str, study: optuna.Study) -> list[str]:
        """What judges an arm's own search, as recorded when it began.

        Every family unlike what this arm may train on, which are more than those that are unlike what any arm may: what
        another arm trains on has no part in what suits this one.
        """
        kept: list[str] | None = study.user_attrs.get(JUDGED)
        if kept is None:
            own = held_out_families(self.phases.definition.probe.open(), self.ablation.space(name).trained())
            # Searches that an earlier version began were judged by the families of the whole ablation, to their end.
            kept = self.phases.definition.judged_by() if study.get_trials(deepcopy=False) else own
            study.set_user_attr(JUDGED, kept)
        return kept

    def _found(
        self,
        chosen: Mapping[str, Config],
        ranked: Mapping[str, Candidate],
        study: optuna.Study,
        judged: Mapping[str, list[str]],
    ) -> dict[str, Any]:
        values = {name: one.values for name, one in ranked.items()}
        pairs = compare(values)
        trained = [TrialRecord.of(trial) for trial in study.get_trials(deepcopy=False)]
        slices = len(self.phases.definition.probe.open())
        return {
            "format": FORMAT,
            "study": self.phases.folder.name,
            "objective": objective_told(self.phases.definition),
            "seeds": self.ablation.seeds,
            "epochs": self.ablation.epochs,
            "searched_trials": self.ablation.study.trials if any(a.space for a in self.ablation.arms.values()) else 0,
            "verdict": verdict(values, pairs),
            "detectable": detectable(values),
            "arms": {
                name: {
                    "differences": differences(chosen[name]),
                    "searched_by": judged.get(name, []),
                    "values": list(one.values),
                    "interval": asdict(one.interval),
                    "cost": _cost(chosen[name], [trained[number] for number in one.runs], slices),
                }
                for name, one in ranked.items()
            },
            "pairs": [asdict(pair) | {"apart": pair.apart} for pair in pairs],
        }

    def _write_best(
        self, chosen: Mapping[str, Config], ranked: Mapping[str, Candidate], best: Verdict, found: Mapping[str, Any]
    ) -> None:
        winner, *others = ranked
        # As the comparison's own verdict has it, after Holm's correction: `decide` corrects for nothing.
        below = [pair["second"] for pair in found["pairs"] if pair["apart"] and pair["first"] == winner]
        near = [ranked[name].trial for name in others if name not in below]
        verdict = {"sentence": found["verdict"], "arm": winner, "clear": not near, "not_apart": near}
        configs = {name: replace(chosen[name], score=best.score) for name in ranked}
        write_best(
            self.phases,
            plain(best) | verdict,
            list(ranked.values()),
            {ranked[name].trial: config for name, config in configs.items()},
            self.ablation.seeds,
            best.score,
            {name: configs[name] for name in others},
            {one.trial: name for name, one in ranked.items()},
        )


def _failure(study: optuna.Study, arm: int | None = None) -> str:
    """The end of a sentence on what failed in a study, of one arm's trainings where it is named: how often and why."""
    trained = [t for t in study.get_trials(deepcopy=False) if arm is None or t.params.get("trial") == arm]
    reasons = [t.user_attrs.get(REASON, "no reason was recorded") for t in trained if t.state == TrialState.FAIL]
    return f"; {len(reasons)} of {len(trained)} failed, the last by: {reasons[-1]}" if reasons else ""


def _cost(config: Config, runs: list[TrialRecord], slices: int) -> dict[str, float | int]:
    """parameters of the detector; core_seconds and gpu_seconds of a training with its scoring; slices_per_second at
    inference on the probe, as the mean over all epochs.
    """
    detector = config.detector.build(config.loss)
    scoring = [f["evaluation_seconds"] for run in runs for f in run.figures.values() if "evaluation_seconds" in f]
    return {
        "parameters": sum(parameter.numel() for parameter in detector.parameters()),
        "core_seconds": float(np.mean([run.seconds * (run.cpus or 1) for run in runs])),
        "gpu_seconds": float(np.mean([run.seconds * (run.gpus or 0) for run in runs])),
        "slices_per_second": slices / float(np.mean(scoring)) if scoring else 0.0,
    }
