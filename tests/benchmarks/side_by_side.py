"""How many trainings at a time are best on one device: steps per second of 1, 2, 4, ... processes together.

    python -m tests.benchmarks.side_by_side [--device cpu|cuda] [--size small|paper] [--steps 40] [--most 8]

The threads of a CPU are divided among the processes. Each warms up, all begin together, and the slowest ends the time.
"""

import argparse
import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from core.config import Config, override
from core.cores import usable_cores
from tests.benchmarks.bench_synthesis import slices
from tests.benchmarks.bench_training import SIZES, our_steps, table_of

WARM = 10
EPOCH = 64  # steps
PATIENCE = 600  # seconds until a process that never came is an error


class Throughput(NamedTuple):
    """processes together did so many steps per second; gain: over one process alone."""

    processes: int
    steps: float
    gain: float


def _work(path: Path, config: Config, device: str, threads: int, steps: int, together: Barrier) -> None:
    try:
        torch.set_num_threads(threads)
        training = our_steps(config, path, device)
        for _ in range(WARM):
            next(training)
        together.wait()
        for _ in range(steps):
            next(training)
        if device == "cuda":
            torch.cuda.synchronize()
        together.wait()
    except BaseException:
        together.abort()  # or all the others would wait for this one
        raise


def measure(size: tuple[int, int, int], device: str, counts: Sequence[int], steps: int) -> list[Throughput]:
    """Steps per second of each number of processes."""
    base, side, batch = size
    config = override(Config(), {"detector.base": base, "training.batch": batch})
    fresh = multiprocessing.get_context("forkserver")
    found: list[Throughput] = []
    with TemporaryDirectory() as folder:
        path = table_of(slices(EPOCH * batch, side), Path(folder) / "t.arrow").path
        for count in counts:
            together = fresh.Barrier(count + 1)
            threads = max(1, usable_cores() // count) if device == "cpu" else 1
            workers = [
                fresh.Process(target=_work, args=(path, config, device, threads, steps, together)) for _ in range(count)
            ]
            for worker in workers:
                worker.start()
            together.wait(PATIENCE)
            began = time.perf_counter()
            together.wait()
            rate = count * steps / (time.perf_counter() - began)
            for worker in workers:
                worker.join()
            found.append(Throughput(count, rate, rate / found[0].steps if found else 1.0))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the curve."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.side_by_side", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--size", choices=list(SIZES), default="small")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--most", type=int, default=8, help="processes")
    chosen = parser.parse_args(arguments)
    counts = [2**power for power in range(chosen.most.bit_length()) if 2**power <= chosen.most]
    for one in measure(SIZES[chosen.size], chosen.device, counts, chosen.steps):
        print(f"{one.processes} at a time: {one.steps:.2f} steps/s, {one.gain:.2f} times one alone")


if __name__ == "__main__":
    main()
