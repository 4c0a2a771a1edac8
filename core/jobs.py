"""Several trainings, as fast as this machine does them, each safe in its checkpoint folder."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from core.config import Config
from core.cores import usable_cores
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
    """
    cores = usable_cores()
    if jobs[0].device != "cpu" or cores == 1:
        yield from ((job, _run(job, torch.get_num_threads())) for job in jobs)
        return
    workers = min(cores, len(jobs))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from zip(jobs, pool.map(_run, jobs, [max(1, cores // workers)] * len(jobs)), strict=True)
