"""What every kind of study does alike: check that subjects do not meet, and carry out a ledger on the cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from core.checkpoint import discard
from core.config import Config, to_dict
from core.console import err, out
from core.errors import BadStorage, BadStudy, Halted, Overtaken
from core.mirror import address
from core.slices.split import require_disjoint
from study.cluster import Cluster
from study.execution import execute
from study.folder import Definition, StudyFolder, subjects_by_role
from study.ledger import Ledger
from study.lock import StudyLock
from study.progress import Progress
from study.storage import StudyStorage, refusing, require_whole
from study.tracking import loggers, require_packages

T = TypeVar("T")


@dataclass(frozen=True)
class Phases:
    """One call of a study: its folder, what it is, the cluster that carries it out, and tools that it logs for."""

    folder: StudyFolder
    definition: Definition
    cluster: Cluster
    log: Sequence[str] = ()

    @property
    def storage(self) -> StudyStorage:
        """Where trainings are recorded."""
        return StudyStorage(self.folder, self.definition)

    def carry_out(self, phase: str, ledger: Ledger, base: Config, families: Sequence[str] = ()) -> bool:
        """Run what remains of a phase, and say what was found; False when it was interrupted.

        families: of the probe, those that judge this phase; by default the study's.
        """
        out.print(f"{phase}: {ledger.summary()}", markup=False)
        if ledger.remaining() > 0:
            done = ledger.total - ledger.remaining()
            slots = self.cluster.slots
            progress = Progress(phase, ledger.total, done, ledger.epochs, to_dict(base), slots.count)
            progress.follow(ledger)
            execute(
                ledger,
                train=self.definition.train,
                probe=self.definition.probe,
                families=families or self.definition.judged_by(),
                folder=self.folder.root / phase,
                attempts=self.folder.root / "attempts",
                slots=slots,
                progress=progress,
                interrupted=self.cluster.interrupted,
                loggers=loggers(self.log, self.folder, phase, base),
            )
        return not self.cluster.interrupted.is_set()

    def discarding(self, phase: str) -> Callable[[int], None]:
        """For a ledger whose trials nobody goes on from when they have ended: thousands would fill the storage."""
        return lambda number: discard(self.folder.training(phase, number))

    def audit(self) -> None:
        """Splits are by subject and never meet; the tables are those that the study began with. Raises BadStudy."""
        roles = self.roles()
        require_disjoint(**roles)
        if not roles["train"]:
            raise BadStudy("every training subject is in the probe; hold fewer out")

    def roles(self) -> dict[str, tuple[str, ...]]:
        """Subjects by role. The test table is opened for its subjects' names alone."""
        tables = {"train": self.definition.train, "probe": self.definition.probe, "test": self.definition.test}
        return subjects_by_role({role: table.open() for role, table in tables.items() if table})

    def described(self) -> dict[str, Any]:
        """Tables and subjects, for what a study writes at its end."""
        tables = {
            "train": asdict(self.definition.train),
            "probe": asdict(self.definition.probe),
            "test": asdict(self.definition.test) if self.definition.test else None,
        }
        return {"tables": tables, "subjects": {role: list(names) for role, names in self.roles().items()}}


@contextmanager
def opened(
    folder: StudyFolder, definition: Definition, cluster: Cluster, log: Sequence[str] = ()
) -> Iterator[tuple[Phases, bool]]:
    """The phases of a study on a cluster, and whether it is new, while this process alone carries it out.

    log: see study.tracking. Raises BadConfig when a package for it is missing, BadStudy when another process carries
    the study out, or when the folder holds another study or a part of one.
    """
    require_packages(log)
    with cluster, StudyLock(folder.root, cluster.interrupted):
        require_whole(folder)
        new = folder.define(definition)
        out.print(f"study {folder.name} in {address(folder.root)}: {'begins' if new else 'goes on'}", markup=False)
        yield Phases(folder, folder.definition(), cluster, log), new


def resumable(call: Callable[[], T]) -> T | None:
    """What a whole call of a study returns; None, and a sentence, where another driver has taken the study over.

    Raises Halted, which says that nothing is lost, for whatever else halts it.
    """
    try:
        with refusing():
            return call()
    except Overtaken as overtaken:
        err.print(f"{overtaken}; stopping", style="yellow", markup=False)
        return None
    except (BadStorage, Halted) as why:
        raise Halted(f"{why}; finished trials are kept, and the same command goes on when this is mended") from None
