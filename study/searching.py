"""A search from beginning to verdict: trials, replication, selection. Calling it again goes on where it stopped."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from optuna.trial import FrozenTrial

from core.errors import BadStudy
from study.asha import Asha
from study.best_file import REPLICATES, write_best
from study.folder import StudyFolder
from study.ledger import Ledger, open_study
from study.phases import Phases, resumable
from study.records import records_of
from study.replicates import ReplicateSource, configured, leaders, with_own
from study.search_source import SearchSource
from study.selection import Verdict, candidates, decide, plain
from study.space import Space
from study.storage import StudyStorage
from study.trials import write_trials


def best_trials(folder: StudyFolder, top: int) -> list[FrozenTrial]:
    """The best trials of another study, to begin a new one with. Raises BadStudy when it has none."""
    study = StudyStorage(folder, folder.definition()).recorded("search").get("search")
    numbers = leaders(records_of(study), top) if study else []
    if study is None or not numbers:
        raise BadStudy(f"{folder.root}: no trial of it was scored, so there is nothing to fork from")
    return [study.get_trials(deepcopy=False)[number] for number in numbers]


@dataclass
class Search:
    """One call of a search. trials: in all, None as the space says. forked: trials of another study to begin with."""

    phases: Phases
    space: Space
    trials: int | None = None
    forked: Sequence[FrozenTrial] = ()

    def run(self) -> Verdict | None:
        """Search, replicate, decide, and write best.json and trials.parquet. None when it was interrupted or overtaken.

        Raises Halted when the study's folder cannot be written to or a node fails.
        """
        return resumable(self._run)

    def _run(self) -> Verdict | None:
        self.phases.audit()
        plan, base, folder = self.space.study, self.space.base(), self.phases.folder
        epochs = base.training.epochs
        storage = self.phases.storage
        opened = storage.open()
        trials = open_study(opened, storage.named("search"))
        source = SearchSource(self.space, self.trials or plan.trials, self.forked)
        asha = Asha(plan.grace, plan.reduction)
        ledger = Ledger(trials, source, epochs, plan.seed, asha, self.phases.discarding("search"))
        finished = self.phases.carry_out("search", ledger, base)
        write_trials(trials, folder.trials)
        if not finished:
            return None

        best, own = with_own(trials, leaders(records_of(trials), plan.top))
        if not best:
            raise BadStudy(f"{folder.root}: no trial was scored; trials.parquet says why each ended")
        replicates = open_study(opened, storage.named(REPLICATES))
        pairs = ReplicateSource(partial(configured, trials), best, plan.replicate_seeds())
        if not self.phases.carry_out(REPLICATES, Ledger(replicates, pairs, epochs, plan.seed), base):
            return None

        ranked = candidates(replicates, plan.replicate_seeds(), epochs)
        if not ranked:
            raise BadStudy(f"{folder.root}: no configuration finished under every replicate seed")
        configs = {one.trial: configured(trials, one.trial) for one in ranked}
        verdict = decide(ranked, own, [number for number in best if number not in configs])
        winner = replace(configs[verdict.winner.trial], score=verdict.score)
        controls = {name: self.space.control(name, winner) for name in self.space.controls}
        seeds = plan.replicate_seeds()
        write_best(self.phases, plain(verdict), ranked, configs, seeds, verdict.score, controls)
        return verdict
