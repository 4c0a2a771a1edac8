"""A study from beginning to verdict: search, replication, selection. Calling it again goes on where it stopped."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from optuna.trial import FrozenTrial

from core.config import Config, differences, from_dict, to_dict
from core.console import out
from core.durable import write_json
from core.errors import BadStorage, BadStudy
from core.slices.split import require_disjoint
from study.asha import Asha
from study.cluster import Cluster
from study.events import Events, refusing
from study.execution import execute
from study.folder import OBJECTIVE, OBJECTIVE_TEXT, Definition, StudyFolder, subjects_by_role
from study.ledger import CONFIG, Ledger, SearchSource, open_study
from study.progress import Progress
from study.replicates import ReplicateSource, leaders
from study.selection import Verdict, candidates, decide, plain
from study.space import Space
from study.trials import write_trials

BEST_FORMAT = 1
REPLICATES = "replicates"


def best_trials(folder: StudyFolder, top: int) -> list[FrozenTrial]:
    """The best trials of another study, to begin a new one with. Raises BadStudy when it has none."""
    study = Events(folder, folder.definition()).recorded("search")
    numbers = leaders(study, top) if study else []
    if study is None or not numbers:
        raise BadStudy(f"{folder.root}: no trial of it was scored, so there is nothing to fork from")
    return [study.get_trials(deepcopy=False)[number] for number in numbers]


@dataclass
class Run:
    """One call of a study. trials: in all, None as the space says. forked: trials of another study to begin with."""

    folder: StudyFolder
    definition: Definition
    space: Space
    cluster: Cluster
    trials: int | None = None
    forked: Sequence[FrozenTrial] = ()

    def search(self) -> Verdict | None:
        """Search, replicate, decide, and write best.json and trials.parquet. None when it was interrupted.

        Raises BadStorage when the study's folder cannot be written to.
        """
        try:
            with refusing():
                return self._search()
        except BadStorage as storage:
            raise BadStorage(
                f"{storage}; finished trials are kept, and the same command goes on when this is mended"
            ) from None

    def _search(self) -> Verdict | None:
        self._audit()
        plan = self.space.study
        base = self.space.base()
        epochs = base.training.epochs

        events = Events(self.folder, self.definition)
        storage = events.storage()
        trials = open_study(storage, events.named("search"))
        source = SearchSource(self.space, self.trials or plan.trials, self.forked)
        self._carry_out("search", Ledger(trials, source, epochs, plan.seed, Asha(plan.grace, plan.reduction)), base)
        write_trials(trials, self.folder.trials)
        if self.cluster.interrupted.is_set():
            return None

        best = leaders(trials, plan.top)
        if not best:
            raise BadStudy(f"{self.folder.root}: no trial was scored; trials.parquet says why each ended")
        replicates = open_study(storage, events.named(REPLICATES))
        pairs = ReplicateSource(trials, best, plan.replicate_seeds())
        self._carry_out(REPLICATES, Ledger(replicates, pairs, epochs, plan.seed), base)
        if self.cluster.interrupted.is_set():
            return None

        ranked = candidates(replicates, plan.replicate_seeds(), epochs)
        if not ranked:
            raise BadStudy(f"{self.folder.root}: no configuration finished under every replicate seed")
        verdict = decide(ranked)
        ended = trials.get_trials(deepcopy=False)
        configs = {one.trial: from_dict(ended[one.trial].user_attrs[CONFIG]) for one in ranked}
        write_json(self.folder.best, self._best(verdict, configs))
        return verdict

    def _carry_out(self, phase: str, ledger: Ledger, base: Config) -> None:
        out.print(f"{phase}: {ledger.summary()}", markup=False)
        if ledger.remaining() <= 0:
            return
        done = ledger.total - ledger.remaining()
        execute(
            ledger,
            train=self.definition.train,
            probe=self.definition.probe,
            families=self.definition.judged_by(),
            folder=self.folder.root / phase,
            attempts=self.folder.root / "attempts",
            slots=self.cluster.slots,
            progress=Progress(phase, ledger.total, done, ledger.epochs, to_dict(base)),
            interrupted=self.cluster.interrupted,
        )

    def _audit(self) -> None:
        """Splits are by subject and never meet; the tables are those that the study began with."""
        roles = self.roles()
        require_disjoint(**roles)
        if not roles["train"]:
            raise BadStudy("every training subject is in the probe; hold fewer out")

    def roles(self) -> dict[str, tuple[str, ...]]:
        """Subjects by role. The test table is opened for its subjects' names alone."""
        tables = {"train": self.definition.train, "probe": self.definition.probe, "test": self.definition.test}
        return subjects_by_role({role: table.open() for role, table in tables.items() if table})

    def _best(self, verdict: Verdict, configs: dict[int, Config]) -> dict[str, Any]:
        winner = replace(configs[verdict.winner.trial], score=verdict.score)
        controls = {name: self.space.control(name, winner) for name in self.space.controls}
        return {
            "format": BEST_FORMAT,
            "study": self.folder.name,
            "objective": {"name": OBJECTIVE, "text": OBJECTIVE_TEXT, "families": self.definition.judged_by()},
            "verdict": plain(verdict),
            "config": to_dict(winner),
            "differences": differences(winner),
            "controls": {name: to_dict(config) for name, config in controls.items()},
            "seeds": self.space.study.replicate_seeds(),
            "checkpoints": {
                str(seed): f"{REPLICATES}/{number:05d}"
                for seed, number in zip(self.space.study.replicate_seeds(), verdict.winner.runs, strict=True)
            },
            "replicates": [
                {
                    "trial": candidate.trial,
                    "values": list(candidate.values),
                    "interval": asdict(candidate.interval),
                    "figures": list(candidate.figures),
                    "config": to_dict(configs[candidate.trial]),
                }
                for candidate in verdict.candidates
            ],
            "tables": {
                "train": asdict(self.definition.train),
                "probe": asdict(self.definition.probe),
                "test": asdict(self.definition.test) if self.definition.test else None,
            },
            "subjects": {role: list(names) for role, names in self.roles().items()},
        }
