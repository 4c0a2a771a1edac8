"""Where a study's events are recorded: the journal in its folder, or a PostgreSQL database."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from core.errors import BadConfig, BadStorage, BadStudy
from core.mirror import address, is_remote, names
from study.folder import Definition, StudyFolder
from study.journal import Journal, reading


def checked(database: str) -> str:
    """The address of a PostgreSQL database. Raises BadConfig for another kind, or when it holds a password."""
    expected = "expected postgresql://USER@HOST/DATABASE, with the password in PGPASSWORD or ~/.pgpass"
    try:
        url = make_url(database)
    except SQLAlchemyError:
        raise BadConfig(f"--database: not an address; {expected}") from None
    if url.get_backend_name() != "postgresql":
        raise BadConfig(f"--database: {url.get_backend_name()!r}, {expected}")
    if url.password is not None or "password" in url.query:
        raise BadConfig(f"--database: holds a password, which would be kept in study.json; {expected}")
    return database


@dataclass(frozen=True)
class StudyStorage:
    """The storage of one study."""

    folder: StudyFolder
    definition: Definition

    def named(self, phase: str) -> str:
        """A phase's name where it is kept; a database holds many studies, some of which have the same name."""
        if not self.definition.database:
            return phase
        identity = self.definition.identity
        if "/" not in identity:  # of before it held the name
            identity = f"{self.folder.name}/{identity}"
        return f"{identity}/{phase}"

    def open(self) -> BaseStorage:
        """To write to. Raises BadStorage when the database does not answer."""
        if self.definition.database:
            return _database(self.definition.database)
        return JournalStorage(Journal(self.folder.journal))

    def recorded(self, *phases: str) -> dict[str, optuna.Study]:
        """Those of these phases that have begun, for reading while another process may write to them.

        All are read through one storage: a journal of thousands of trials takes seconds to read.
        """
        database, found = self.definition.database, dict[str, optuna.Study]()
        storage = _database(database) if database else reading(self.folder.journal)
        if storage is None:
            return found
        with refusing():
            for phase in phases:
                with suppress(KeyError):
                    found[phase] = optuna.load_study(study_name=self.named(phase), storage=storage)
        return found


def require_whole(folder: StudyFolder) -> None:
    """Before a study is carried out. Raises BadStudy where what it is, or the record of its trials, was lost.

    Without the record everything would be trained again; without study.json, trials of another space or other tables
    might join it.
    """
    there, root = names(folder.root), address(folder.root)
    journal = f"{folder.journal.name}.d" if is_remote(folder.root) else folder.journal.name
    recorded = journal in there and (is_remote(folder.root) or folder.journal.stat().st_size > 0)
    expected = "put it back, or give another --study name"
    if not folder.definition_file.exists():
        if recorded:
            raise BadStudy(f"{root}: holds {journal} and no study.json, which says what it is of; {expected}")
        return
    left = [name for name in there if name in (folder.trials.name, "replicates") or name.startswith("search")]
    if left and not recorded and folder.definition().database is None:
        raise BadStudy(f"{root}: {journal}, the record of its trials, is gone, though {left[0]} is there; {expected}")


@contextmanager
def refusing() -> Iterator[None]:
    """Around everything that writes where a study is kept: whatever refuses becomes BadStorage."""
    try:
        yield
    except OSError as error:
        refused = BadStorage.of(error)
        if refused is None:
            raise
        raise refused from None
    except (StorageInternalError, SQLAlchemyError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        raise BadStorage(f"the database: {str(getattr(cause, 'orig', cause)).strip().splitlines()[0]}") from None


def _database(address: str) -> RDBStorage:
    url: URL = make_url(address).set(drivername="postgresql+psycopg")
    try:
        import psycopg  # noqa: F401
    except ModuleNotFoundError:
        raise BadConfig(f"--database needs psycopg: {sys.executable} -m pip install 'psycopg[binary]'") from None
    with refusing():
        # A connection that the server has closed meanwhile is made anew, instead of failing the next write.
        return RDBStorage(url.render_as_string(hide_password=False), engine_kwargs={"pool_pre_ping": True})
