"""A large study really scheduled by Ray: what the driver needs, and how long slots wait for it.

Trials sleep, on logical slots of logical nodes. Those before the measured ones are recorded without Ray, drawn at
random, so that the study has its full size when the measuring begins.

Example:
    python -m tests.benchmarks.scale --recorded 4700 --trials 300 --slots 64 --epoch-seconds 10
    python -m tests.benchmarks.scale --recorded 0 --trials 100 --nodes 2 --slots 8        what another node brings
"""

import os
import resource
import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated, Any

# Read by Ray when it is imported, as in study.cluster.
os.environ |= {"RAY_AUTH_MODE": "token", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"

import optuna
import ray
import typer
from ray.cluster_utils import Cluster
from rich.console import Console

from core.config import to_dict
from study import execution
from study.asha import Asha
from study.execution import execute
from study.folder import TableReference
from study.ledger import EPOCHS, Ledger, open_study
from study.progress import Progress
from study.reading import load_space
from study.search_source import SearchSource
from study.slots import Slots
from tests.benchmarks import tabulated

SPACE = load_space("everything")[1]
BUDGET = SPACE.base().training.epochs


def ledger(journal: Path, trials: int) -> Ledger:
    """The real ledger over a journal."""
    plan = SPACE.study
    return Ledger(
        open_study(journal, "search"), SearchSource(SPACE, trials), BUDGET, 0, Asha(plan.grace, plan.reduction)
    )


def record(journal: Path, trials: int) -> None:
    """Trials that ended before, drawn at random; those that the journal has already stay."""
    made = ledger(journal, trials)
    random = optuna.samplers.RandomSampler(seed=0)
    made._reseed = lambda asked: setattr(made.study, "sampler", random)  # type: ignore[method-assign]
    figures = {f"figure.{number}.average_precision": 0.123456789 for number in range(33)}
    for assignment in made.assignments():
        for epoch in range(1, BUDGET + 1):
            if made.report(
                assignment.number, epoch, (assignment.number * 7919 % 1000) / 1000 * (1 - 0.6**epoch), figures
            ):
                break
        made.finish(assignment.number)


def idle(trials: list[optuna.trial.FrozenTrial]) -> tuple[float, float, int]:
    """Share of slot time in which no epoch ran, the seconds looked at, and the slots that took part.

    From the moment when every slot has begun its first trial to the moment when the last trial began: before and after
    it, slots are empty because there is nothing to measure.
    """
    spans: list[tuple[float, float]] = []
    first: dict[float, float] = {}
    for trial in trials:
        for epoch in trial.intermediate_values:
            figures = trial.user_attrs[f"{EPOCHS} {epoch}"]
            spans.append((figures["began"], figures["ended"]))
            first[figures["process"]] = min(figures["began"], first.get(figures["process"], figures["began"]))
    begin, slots = max(first.values()), len(first)
    end = max(trial.user_attrs[f"{EPOCHS} 1"]["began"] for trial in trials)
    busy = sum(max(0.0, min(end, ended) - max(begin, began)) for began, ended in spans)
    return 1 - busy / (slots * (end - begin)), end - begin, slots


def main(
    recorded: Annotated[int, typer.Option(help="Trials recorded before, without Ray.")] = 4700,
    trials: Annotated[int, typer.Option(help="Trials scheduled by Ray.")] = 300,
    slots: Annotated[int, typer.Option(help="Logical slots of a node.")] = 64,
    nodes: Annotated[int, typer.Option(help="Logical nodes.")] = 1,
    epoch_seconds: Annotated[float, typer.Option(help="How long a trial sleeps for each epoch.")] = 10.0,
    folder: Annotated[Path | None, typer.Option(help="Where the study lies; default a new folder.")] = None,
) -> None:
    """Measure, and print a table."""
    os.environ[tabulated.EPOCH_SECONDS] = str(epoch_seconds)
    folder = folder or Path(tempfile.mkdtemp())
    if recorded:
        record(folder / "journal.log", recorded)
    started = time.perf_counter()
    opened = ledger(folder / "journal.log", recorded + trials)
    reopening = time.perf_counter() - started
    execution.run_trial = tabulated.run_trial  # type: ignore[assignment]
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(nodes):
        cluster.add_node(num_cpus=slots)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    progress = Progress("search", opened.total, recorded, BUDGET, to_dict(SPACE.base()))
    table = TableReference("none", "none")
    before, started = time.process_time(), time.perf_counter()
    execute(
        opened, train=table, probe=table, families=[], folder=folder, attempts=folder / "attempts",
        slots=Slots(1, 0, nodes * slots), progress=progress, interrupted=threading.Event(),
    )  # fmt: skip
    wall, spent = time.perf_counter() - started, time.process_time() - before
    measured = opened.trials()[recorded:]
    epochs = sum(len(trial.intermediate_values) for trial in measured)
    waiting, looked_at, used = idle(measured)
    rows: dict[str, Any] = {
        "trials in the study": opened.total,
        "trials scheduled by Ray": f"{trials} on {nodes} x {slots} slots, {epochs} epochs of {epoch_seconds:g} s",
        "epochs": f"{3600 * (1 - waiting) * used / epoch_seconds:.0f} an hour after warm-up",
        "wall": f"{wall:.0f} s",
        "slots idle": f"{waiting:.1%} of {looked_at:.0f} s after warm-up, {used} slots",
        "driver, processor time": f"{1000 * spent / trials:.0f} ms per trial",
        "driver, most memory": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB",
        "reopening": f"{reopening:.1f} s",
        "journal": f"{(folder / 'journal.log').stat().st_size / 2**20:.0f} MiB",
    }
    for name, value in rows.items():
        Console().print(f"{name:28} {value}", markup=False, highlight=False)


if __name__ == "__main__":
    typer.run(main)
