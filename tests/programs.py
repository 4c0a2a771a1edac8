"""The programs, run as users run them, in a folder of their own with small tables and a small space."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from core.slices.table import SliceTable
from tests import forked

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

    def __init__(
        self, root: Path, healthy: SliceTable, lesioned: SliceTable, space: str = SPACE, probe: SliceTable | None = None
    ) -> None:
        self.root, self.healthy, self.lesioned, self.probe = root, healthy, lesioned, probe
        (root / "tiny.toml").write_text(space)
        (root / "home").mkdir()
        self.environment = {**os.environ, "HOME": str(root / "home"), "RAY_AUTH_MODE": "token"}

    def command(self, module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", module, *arguments]

    def search(self, *more: str) -> list[str]:
        """One trial at a time unless told otherwise: each process at work spends seconds on importing torch."""
        tables = ["--train", str(self.healthy.path), "--test", str(self.lesioned.path)]
        tables += ["--probe", str(self.probe.path)] if self.probe else []
        return self.command("study.search", "--space", "tiny.toml", "--concurrent", "1", *tables, *more)

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        _, _, module, *arguments = command
        return forked.run(module, arguments, cwd=self.root, env=self.environment)

    def begin(self, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, cwd=self.root, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )


class Nodes:
    """A Ray cluster of logical nodes with one CPU each, and a head without, that programs run in `place` join."""

    def __init__(self, place: Place, count: int) -> None:
        subprocess.run([RAY, "get-auth-token", "--generate"], env=place.environment, check=True, capture_output=True)
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "faults" / "logical_nodes.py"), str(count)],
            env=place.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        # A driver whose cluster has gone gives up after so many seconds, by default 60.
        place.environment["RAY_gcs_rpc_server_reconnect_timeout_s"] = "5"
        self.address = self._answer(lambda line: line.replace(".", "").replace(":", "").isdigit())
        place.environment["RAY_ADDRESS"] = self.address

    def tell(self, what: str) -> None:
        """`crash` or `join`: kill a node or add one."""
        assert self.process.stdin is not None
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        self._answer("done".__eq__)

    def kill(self) -> None:
        """kill -9 of everything at once: head, nodes, workers."""
        for pid in descendants(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.communicate()
        remembered = Path("/tmp/ray/ray_current_cluster")  # of no use to anybody now, and in Ray's way
        if remembered.is_file() and remembered.read_text() == self.address:
            remembered.unlink()

    def stop(self) -> None:
        """Shut down what is left."""
        if self.process.poll() is None:
            self.process.communicate(timeout=180)

    def _answer(self, expected: Callable[[str], bool]) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if expected(line.strip()):
                return line.strip()
        raise AssertionError(f"the cluster ended with {self.process.wait()}")


RAY = Path(sys.executable).with_name("ray")
ROOT = Path(__file__).parents[1]


class Head:
    """A head node on loopback with a token, in a home of its own, that takes jobs."""

    def __init__(self, home: Path, **more: str) -> None:
        own = {
            "HOME": str(home),
            "RAY_AUTH_MODE": "token",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self.environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"} | own | more
        command = [RAY, "get-auth-token", "--generate"]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=180)
        # The agent takes the jobs; on Ray's usual port, no second head on this machine would have one.
        port, dashboard, agent = _free_port(), _free_port(), _free_port()
        # A short path of its own: Ray's sockets do not fit into pytest's.
        self.sessions = Path("/tmp") / f"ray-{os.getpid()}"
        self.process = subprocess.Popen(
            [
                RAY, "start", "--head", "--block", f"--port={port}", f"--dashboard-port={dashboard}",
                f"--dashboard-agent-listen-port={agent}", "--num-cpus=2", "--node-ip-address=127.0.0.1",
                f"--temp-dir={self.sessions}",
            ],
            env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self.environment["RAY_API_SERVER_ADDRESS"] = f"http://127.0.0.1:{dashboard}"

    def job(self, *words: str) -> str:
        """`ray job ...`, waiting until the head takes jobs: the dashboard is up some seconds later."""
        for _ in range(40):
            done = subprocess.run(
                [RAY, "job", *words], cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=500,
                check=False,
            )  # fmt: skip
            said = done.stdout + done.stderr
            if "Failed to connect" not in said and "No such file" not in said:
                break
        assert done.returncode == 0, said
        return said

    def stop(self) -> None:
        """End it and remove what Ray wrote."""
        self.process.terminate()
        self.process.wait(timeout=180)
        shutil.rmtree(self.sessions, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(text: str, path: Path, times: int = 1, seconds: float = 400) -> None:
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


def training(driver: int) -> list[int]:
    """Processes that train for a driver that started Ray itself: named after Tune's wrapper of what they run."""
    return [pid for pid, command in descendants(driver).items() if command.startswith(b"ray::ImplicitFunc")]


def kill(driver: subprocess.Popen[str]) -> None:
    """kill -9 of a driver that started Ray itself; its workers notice, and have ended when this returns."""
    workers = training(driver.pid)
    driver.kill()
    driver.communicate()
    deadline = time.monotonic() + 180
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline, "workers outlive their driver"
        time.sleep(0.05)


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
    return {
        which: (trial.state, trial.value, trial.intermediate_values)
        for which, trial in _trials(journal).items()
        if trial.state.is_finished()
    }


def unfinished_trials(journal: Path) -> dict[tuple[str, int], int]:
    """How many epochs are recorded of every trial that has begun and not ended, by study and number."""
    return {
        which: len(trial.intermediate_values)
        for which, trial in _trials(journal).items()
        if trial.state == TrialState.RUNNING
    }


def _trials(journal: Path) -> dict[tuple[str, int], FrozenTrial]:
    storage = JournalStorage(JournalFileBackend(str(journal)))
    return {
        (name, trial.number): trial
        for name in optuna.get_all_study_names(storage)
        for trial in optuna.load_study(study_name=name, storage=storage).get_trials()
    }
