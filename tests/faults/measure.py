"""What each fault costs a small real study, as a Markdown table.

Example:
    python -m tests.faults.measure                       every fault
    python -m tests.faults.measure node "full disk"      those whose names hold one of these
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.slices.layout import TableMetadata
from core.slices.table import SliceTable, write_table
from tests.conftest import volume
from tests.faults.disks import fill, remount, small_disk
from tests.programs import SPACE, Head, Nodes, Place, finished_trials, kill, training, unfinished_trials

EPOCHS = 20
LONG = (
    SPACE.replace('"training.epochs" = 2', f'"training.epochs" = {EPOCHS}')
    .replace("trials = 3", "trials = 4")
    .replace("reduction = 3", "reduction = 1")
    .replace("top = 2", "top = 1")
)
COUNTING = Path(__file__).parent / "counting"


@dataclass
class Found:
    """A study at a fault: finished trials, recorded epochs of those under way, and since when it recovers."""

    finished: dict[Any, Any]
    under_way: dict[Any, int]
    since: float = 0.0


@dataclass
class Study:
    """A small study that is spoilt. runs: its folder of studies. more: options of its command."""

    place: Place
    stack: ExitStack
    runs: Path
    more: list[str] = field(default_factory=list)
    driver: subprocess.Popen[str] | None = None

    @property
    def journal(self) -> Path:
        return self.runs / "tiny" / "journal.log"

    @property
    def command(self) -> list[str]:
        return self.place.search("--runs", str(self.runs), "--concurrent", "2", *self.more)

    def begin(self) -> None:
        self.driver = self.place.begin(self.command)
        self.stack.callback(self.driver.kill)

    def wait(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 200
        while not what():
            assert time.monotonic() < deadline, (
                self.end() if self.driver and self.driver.poll() is not None else "too slow"
            )
            time.sleep(0.05)

    def busy(self) -> bool:
        """Some trials have finished, and two have come some way."""
        if not self.journal.exists() or not finished_trials(self.journal):
            return False
        return sum(3 <= epochs < EPOCHS - 3 for epochs in unfinished_trials(self.journal).values()) >= 2

    def found(self) -> Found:
        return Found(finished_trials(self.journal), unfinished_trials(self.journal), time.monotonic())

    def kill(self) -> None:
        assert self.driver is not None
        kill(self.driver)

    def end(self) -> str:
        assert self.driver is not None
        return self.driver.communicate(timeout=300)[0]

    def stopped(self, stop: Callable[[], object]) -> Found:
        """The command begins, is stopped, and is given again, at which recovery begins."""
        self.begin()
        self.wait(self.busy)
        stop()
        assert self.driver is not None
        self.driver.wait(timeout=300)
        return self.found()

    def goes_on(self, found: Found) -> Found:
        found.since = time.monotonic()
        self.begin()
        return found

    def recovered(self, found: Found) -> bool:
        """Every trial that was under way has another epoch."""
        finished, now = finished_trials(self.journal), unfinished_trials(self.journal)
        return all(which in finished or now[which] > epochs for which, epochs in found.under_way.items())


def workers(study: Study) -> Found:
    """`kill -9` of all workers at once"""
    study.begin()
    study.wait(study.busy)
    assert study.driver is not None
    found = study.found()
    for pid in training(study.driver.pid):
        os.kill(pid, signal.SIGKILL)
    return found


def node(study: Study) -> Found:
    """`kill -9` of one of two nodes; another joins at once (a lost node is noticed after 2 s here, by default 15)"""
    nodes = Nodes(study.place, 2)
    study.stack.callback(nodes.stop)
    study.more = ["--concurrent", "2"]
    study.begin()
    study.wait(study.busy)
    found = study.found()
    nodes.tell("crash")
    nodes.tell("join")
    return found


def driver(study: Study) -> Found:
    """`kill -9` of the driver, then the same command"""
    return study.goes_on(study.stopped(study.kill))


def torn_line(study: Study) -> Found:
    """`kill -9` of the driver, half a line at the end of the journal, then the same command"""
    found = study.stopped(study.kill)
    with study.journal.open("a") as file:
        file.write('{"op_code": 7, "worker_id": "to')
    return study.goes_on(found)


def checkpoints(study: Study) -> Found:
    """`kill -9` of the driver, the newest checkpoint of every trial under way cut in half, then the same command"""
    found = study.stopped(study.kill)
    for phase, number in found.under_way:
        for newest in sorted((study.runs / "tiny" / phase / f"{number:05d}").glob("epoch-*"))[-1:]:
            weights = newest / "model.safetensors"
            os.truncate(weights, weights.stat().st_size // 2)
    return study.goes_on(found)


def whole_cluster(study: Study) -> Found:
    """`kill -9` of head, nodes and workers, then a new cluster and the same command"""
    nodes = Nodes(study.place, 2)
    study.stack.callback(nodes.stop)
    found = study.stopped(nodes.kill)
    again = Nodes(study.place, 2)
    study.stack.callback(again.stop)
    return study.goes_on(found)


def ray_job_stop(study: Study) -> Found:
    """`ray job stop`, then the job is submitted again"""
    counting = ("PYTHONPATH", "EPOCHS_TRAINED")
    head = Head(study.place.root / "home", **{name: study.place.environment[name] for name in counting})
    study.stack.callback(head.stop)
    words = ["--working-dir", ".", "--", *(str(study.place.root / w) if w == "tiny.toml" else w for w in study.command)]
    head.job("submit", "--no-wait", "--submission-id", "first", *words)
    study.wait(study.busy)
    head.job("stop", "first")
    found = study.found()
    head.job("submit", "--no-wait", "--submission-id", "second", *words)
    study.driver = subprocess.Popen(["true"], stdout=subprocess.PIPE, text=True)  # the head runs the driver
    return found


def full_disk(study: Study) -> Found:
    """the disk is filled, later emptied, then the same command"""
    found = study.stopped(lambda: fill(study.runs))
    (study.runs / "filler").unlink()
    return study.goes_on(found)


def read_only_disk(study: Study) -> Found:
    """the disk is mounted read-only, later writable, then the same command"""
    found = study.stopped(lambda: remount(study.runs, "ro"))
    remount(study.runs, "rw")
    return study.goes_on(found)


def measure(fault: Callable[[Study], Found], healthy: SliceTable, lesioned: SliceTable) -> str:
    """A row of the table."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, ExitStack() as stack:
        root = Path(folder)
        place = Place(root, healthy, lesioned, LONG)
        marks = root / "trained"
        place.environment |= {"PYTHONPATH": f"{COUNTING}:{Path.cwd()}", "EPOCHS_TRAINED": str(marks)}
        runs = stack.enter_context(small_disk(root / "disk", 16)) if "disk" in fault.__name__ else root / "runs"
        study = Study(place, stack, runs)
        found = fault(study)
        study.wait(lambda: study.recovered(found))
        seconds = time.monotonic() - found.since
        study.wait((study.runs / "tiny" / "best.json").exists)
        study.end()
        after = finished_trials(study.journal)
        trained = Counter(marks.read_text().splitlines())
        begun = Counter(line.removeprefix("begun ") for line in trained.elements() if line.startswith("begun"))
        ended = Counter(line.removeprefix("ended ") for line in trained.elements() if line.startswith("ended"))
    kept = "yes" if found.finished.items() <= after.items() else "NO"
    again, whole = begun.total() - len(begun), ended.total() - len(ended)
    name = fault.__name__.replace("_", " ")
    return (
        f"| {name} | {fault.__doc__} | {len(found.finished)} | {len(after)}, {kept} | {again}, of which {whole} whole "
        f"| {seconds:.1f} |"
    )


def main() -> None:
    """Print a row per fault."""
    faults = [
        workers, node, driver, whole_cluster, ray_job_stop, full_disk, read_only_disk, torn_line, checkpoints,
    ]  # fmt: skip
    chosen = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        healthy = write_table(Path(folder) / "healthy.arrow", map(volume, range(6)), TableMetadata())
        patients = (volume(number, lesion=number < 52, prefix="patient") for number in range(50, 54))
        lesioned = write_table(Path(folder) / "lesioned.arrow", patients, TableMetadata())
        print("| fault | how | finished before | after, those before unchanged | epochs begun again | seconds |")
        print("|---|---|---|---|---|---|")
        for fault in faults:
            if not chosen or any(word.replace(" ", "_") in fault.__name__ for word in chosen):
                print(measure(fault, healthy, lesioned), flush=True)


if __name__ == "__main__":
    main()
