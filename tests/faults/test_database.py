"""Trials recorded in PostgreSQL: a real server, started here, and restarted in the middle of a study."""

import gc
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from core.errors import BadConfig
from core.slices.table import SliceTable
from study.folder import StudyFolder
from study.records import read_study
from study.storage import StudyStorage, _database, checked
from tests.programs import SPACE, Place, wait_for

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path(shutil.which("initdb") or "/none/initdb").parent]


class Server:
    """PostgreSQL in a folder of its own, on a socket of its own. It refuses to run as root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.user = "postgres" if os.geteuid() == 0 else None
        self._call("initdb", "--auth=trust", "--username=study", "--no-sync", "-D", str(root / "data"))
        self.start()
        self._call("createdb", "-h", str(root), "-U", "study", "trials")
        self.address = f"postgresql://study@/trials?host={root}"

    def start(self) -> None:
        options = f"-k {self.root} -c listen_addresses=''"
        self._call("pg_ctl", "start", "-w", "-D", str(self.root / "data"), "-o", options, "-l", str(self.root / "log"))

    def stop(self) -> None:
        """At once, as a crash would."""
        self._call("pg_ctl", "stop", "-m", "immediate", "-D", str(self.root / "data"))

    def _call(self, program: str, *words: str) -> None:
        command = [str(PROGRAMS[-1] / program), *words]
        done = subprocess.run(command, user=self.user, cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def server() -> Iterator[Server]:
    if not (PROGRAMS[-1] / "initdb").exists():
        pytest.skip("PostgreSQL is not installed")
    if os.geteuid() == 0 and "postgres" not in {user.pw_name for user in pwd.getpwall()}:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    root = Path(tempfile.mkdtemp(prefix="pg-"))  # short, since paths of sockets are limited
    if os.geteuid() == 0:
        shutil.chown(root, "postgres")
    made = Server(root)
    try:
        yield made
    finally:
        with warnings.catch_warnings():
            # SQLAlchemy's pools close what they hold when they are collected, which would be in another test.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        made.stop()
        shutil.rmtree(root)


def _finished(folder: Path) -> dict[tuple[str, int], tuple[TrialState, float | None, dict[int, float]]]:
    study = StudyFolder(folder)
    found = {}
    for phase in ("search", "replicates"):
        phase_study = StudyStorage(study, study.definition()).recorded(phase).get(phase)
        for trial in phase_study.get_trials() if phase_study else []:
            if trial.state.is_finished():
                found[phase, trial.number] = (trial.state, trial.value, trial.intermediate_values)
    return found


def test_a_study_outlives_its_database(
    server: Server, tmp_path: Path, healthy: SliceTable, lesioned: SliceTable, small_probe: SliceTable
) -> None:
    place = Place(tmp_path, healthy, lesioned, SPACE.replace("top = 2", "top = 1"), small_probe)
    first = place.begin(place.search("--database", server.address))
    wait_for("PK", tmp_path / "runs" / "tiny" / "search" / "00002" / "sample_maps.npz")
    server.stop()
    said, _ = first.communicate(timeout=300)
    assert first.returncode == 2, said
    assert "error: the database: " in said
    assert "the same command goes on when this is mended" in said
    assert "Traceback" not in said

    refused = place.run(place.search())
    assert refused.returncode == 2
    assert "error: the database: " in refused.stderr
    server.start()
    before = _finished(tmp_path / "runs" / "tiny")
    assert before
    last = place.run(place.search())
    assert last.returncode == 0, last.stdout + last.stderr
    after = _finished(tmp_path / "runs" / "tiny")
    assert before.items() <= after.items()
    assert len(after) in (3 + 3, 3 + 3 + 3)  # the preset's own choice is replicated too, if it is not the best
    assert all(state != TrialState.FAIL for state, _, _ in after.values())
    assert not (tmp_path / "runs" / "tiny" / "journal.log").exists()

    record = read_study(StudyFolder(tmp_path / "runs" / "tiny"))
    assert len(record.trials) == 3
    assert len(record.replicates) in (3, 6)
    storage = optuna.storages.RDBStorage(server.address.replace("postgresql:", "postgresql+psycopg:"))
    names = optuna.get_all_study_names(storage)
    assert sorted(name.split("/")[0] + name.split("/")[2] for name in names) == ["tinyreplicates", "tinysearch"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("postgresql://me:secret@host/db", "holds a password, which would be kept in study.json"),
        ("postgresql://me@host/db?password=secret", "holds a password"),
        ("sqlite:///trials.db", "'sqlite', expected postgresql://USER@HOST/DATABASE"),
        ("nonsense", "not an address"),
    ],
)
def test_an_address_that_cannot_serve_is_refused(text: str, told: str) -> None:
    with pytest.raises(BadConfig, match=told) as refused:
        checked(text)
    assert "secret" not in str(refused.value)


def test_without_psycopg_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(BadConfig, match=r"^--database needs psycopg: .*python.* -m pip install 'psycopg\[binary\]'$"):
        _database("postgresql://h/d")
