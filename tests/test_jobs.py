"""Trainings in processes of their own end with the program that began them, and with one that cannot go on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from core.slices.table import SliceTable

PROGRAM = """
import signal, sys
from pathlib import Path
import numpy
from core import jobs
from core.config import Config, override
from core.slices import open_table

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what starts the tests may ignore it
    jobs.usable_cores = lambda: 2
    first, others = map(open_table, map(Path, sys.argv[1:3]))
    endless = override(Config(), {"detector.base": 2, "detector.depth": 1, "training.epochs": 100_000})
    tables = (first, others, others)
    list(jobs.trained([
        jobs.Job("one", endless, seed, table, numpy.arange(len(table)), "cpu", Path(sys.argv[3]) / str(seed))
        for seed, table in enumerate(tables)
    ]))
"""


def _of_group(group: int) -> list[int]:
    """Processes of a group that still run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, _, its = (process / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its) == group and state != "Z":
            found.append(int(process.name))
    return found


def _ended(table: Path, others: Path, folder: Path, stop: Callable[[int], None] | None) -> str:
    """What the program says on its way out, once all that it began has ended. stop: called when two trainings run."""
    (folder / "program.py").write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, folder / "program.py", table, others, folder / "kept"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with (folder / "errors").open("w") as errors:
        program = subprocess.Popen(command, stderr=errors, env=environment, start_new_session=True)
    deadline = time.monotonic() + 300
    try:
        while stop and not all(list((folder / "kept" / name).glob("epoch-*")) for name in "01"):
            assert program.poll() is None, (folder / "errors").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        if stop:
            stop(program.pid)
        program.wait(120)
        while _of_group(program.pid):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        for left in _of_group(program.pid):
            os.kill(left, signal.SIGKILL)
    return (folder / "errors").read_text()


def test_a_killed_program_takes_its_trainings_along(healthy: SliceTable, tmp_path: Path) -> None:
    _ended(healthy.path, healthy.path, tmp_path, lambda program: os.kill(program, signal.SIGKILL))


def test_ctrl_c_ends_them_and_begins_no_other(healthy: SliceTable, tmp_path: Path) -> None:
    said = _ended(healthy.path, healthy.path, tmp_path, lambda program: os.killpg(program, signal.SIGINT))
    assert said.count("KeyboardInterrupt") == said.count("Traceback") == 1  # the program alone says where it was
    assert not (tmp_path / "kept" / "2").exists()


def test_one_that_cannot_go_on_ends_the_others(healthy: SliceTable, lesioned: SliceTable, tmp_path: Path) -> None:
    said = _ended(lesioned.path, healthy.path, tmp_path, None)
    assert "BadTable" in said.splitlines()[-1]


def test_one_that_is_killed_is_told_as_such(healthy: SliceTable, tmp_path: Path) -> None:
    def kill_one(program: int) -> None:
        trainings = [one for one in _of_group(program) if "spawn_main" in Path(f"/proc/{one}/cmdline").read_text()]
        os.kill(trainings[0], signal.SIGKILL)

    said = _ended(healthy.path, healthy.path, tmp_path, kill_one)
    assert said.splitlines()[-1].startswith("core.errors.HelperDied: a process that trains was killed")
