"""The programs, run as users run them, in a folder of their own with small tables and a small space."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from core.slices.table import SliceTable

SPACE = """
[study]
trials = 3
grace = 1
reduction = 3
top = 2
seeds = 3
[fixed]
"detector.base" = 2
"detector.depth" = 2
"training.epochs" = 2
"training.batch" = 8
"training.learning_rate" = 1e-2
[space]
"loss.alpha" = { low = 0.0, high = 1.0 }
[controls.circle]
"synthesis.mask.kind" = "circle"
"""


class Place:
    """A folder with tables and a space, and the programs run in it."""

    def __init__(self, root: Path, healthy: SliceTable, lesioned: SliceTable, space: str = SPACE) -> None:
        self.root, self.healthy, self.lesioned = root, healthy, lesioned
        (root / "tiny.toml").write_text(space)
        (root / "home").mkdir()
        self.environment = {**os.environ, "HOME": str(root / "home"), "RAY_AUTH_MODE": "token"}

    def command(self, module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", module, *arguments]

    def search(self, *more: str) -> list[str]:
        tables = ("--train", str(self.healthy.path), "--test", str(self.lesioned.path))
        return self.command("study.search", "--space", "tiny.toml", *tables, *more)

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )

    def begin(self, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, cwd=self.root, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )


def wait_for(text: str, path: Path, times: int = 1, seconds: float = 200) -> None:
    """Return when a file holds a text so often; fail after so long."""
    deadline = time.monotonic() + seconds
    while not (path.exists() and path.read_text(errors="replace").count(text) >= times):
        assert time.monotonic() < deadline, f"{path} does not hold {text!r} {times} times after {seconds} s"
        time.sleep(0.1)


def descendants(ancestor: int) -> dict[int, bytes]:
    """Command lines of a process and of all that it started, by process number."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
    found = {ancestor: b""}
    while more := {pid: b"" for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= more
    for pid in found:
        with suppress(OSError):
            found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes()
    return found


def listening(ancestor: int) -> set[str]:
    """Addresses on which a process and its descendants wait for connections, as /proc/net/tcp writes them."""
    sockets = set()
    for pid in descendants(ancestor):
        with suppress(OSError):
            sockets |= {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()}
    lines = [line.split() for table in ("tcp", "tcp6") for line in Path("/proc/net", table).read_text().splitlines()]
    return {line[1].split(":")[0] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in sockets}


LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


def finished_trials(journal: Path) -> dict[tuple[str, int], tuple[TrialState, float | None, dict[int, float]]]:
    """State, value and learning curve of every finished trial, by study and number."""
    storage = JournalStorage(JournalFileBackend(str(journal)))
    return {
        (name, trial.number): (trial.state, trial.value, trial.intermediate_values)
        for name in optuna.get_all_study_names(storage)
        for trial in optuna.load_study(study_name=name, storage=storage).get_trials()
        if trial.state.is_finished()
    }
