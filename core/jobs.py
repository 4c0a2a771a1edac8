"""Several trainings, as fast as this machine does them, each safe in its checkpoint folder."""

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from core.config import Config
from core.cores import usable_cores
from core.errors import HelperDied
from core.orphans import end_with_parent
from core.slices.table import SliceTable
from core.training import Epoch, train


@dataclass(frozen=True)
class Job:
    """One training of one configuration under one seed; it travels to other processes."""

    name: str
    config: Config
    seed: int
    table: SliceTable
    rows: NDArray[np.intp]
    device: str
    folder: Path

    def epochs(self) -> Iterator[Epoch]:
        """Train, or replay what the checkpoint holds."""
        return train(
            self.config, self.table, rows=self.rows, seed=self.seed, device=self.device, checkpoints=self.folder
        )


class Spent(NamedTuple):
    """seconds: that all epochs of a training took, whenever that was. epochs: how many of them were trained now."""

    seconds: float
    epochs: int


def _run(job: Job, threads: int) -> Spent:
    """Train to the end, into the checkpoint folder."""
    torch.set_num_threads(threads)
    epochs = [(epoch.seconds, not epoch.replayed) for epoch in job.epochs()]
    return Spent(sum(seconds for seconds, _ in epochs), sum(now for _, now in epochs))


def trained(jobs: Sequence[Job]) -> Iterator[tuple[Job, Spent]]:
    """Train all, yielding each in order when it is done.

    On a CPU one thread each and one process per core: twice as fast on small networks as all cores on one training.
    Whatever ends this early, Ctrl-C or a training that raises, ends them all. Raises HelperDied when one was killed.
    """
    cores = usable_cores()
    if jobs[0].device != "cpu" or cores == 1:
        yield from ((job, _run(job, torch.get_num_threads())) for job in jobs)
        return
    workers = min(cores, len(jobs))
    with _processes(workers) as pool:
        with _ctrl_c_is_for_this_one():
            coming = [pool.submit(_run, job, max(1, cores // workers)) for job in jobs]
        for job, spent in zip(jobs, coming, strict=True):
            yield job, spent.result()


@contextmanager
def _processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with this one. Left to itself, the pool would first finish all that they have begun."""
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=end_with_parent) as pool:
        try:
            yield pool
        except BrokenProcessPool:
            raise HelperDied(
                "a process that trains was killed, most likely for memory; the same command goes on from the last epoch"
            ) from None
        except BaseException:
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
            raise


@contextmanager
def _ctrl_c_is_for_this_one() -> Iterator[None]:
    """Processes that begin meanwhile never hear of Ctrl-C, which reaches all programs of a terminal.

    They would tell where they were, and go on with the next training.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
