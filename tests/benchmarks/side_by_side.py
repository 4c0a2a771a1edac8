"""How many trainings at a time are best on one device: steps per second of 1, 2, 4, ... processes together.

    python -m tests.benchmarks.side_by_side [--device cpu|cuda] [--size small|paper] [--steps 40] [--most 8]

The threads of a CPU are divided among the processes. Each warms up, all begin together, and the slowest ends the time.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from core.config import Config, override
from core.cores import usable_cores
from tests.benchmarks.bench_synthesis import slices
from tests.benchmarks.bench_training import SIZES, our_steps, table_of
from tests.benchmarks.together import together

WARM = 10
EPOCH = 64  # steps


class Throughput(NamedTuple):
    """processes together did so much per second; gain: over one process alone."""

    processes: int
    rate: float
    gain: float


def threads_for(count: int, device: str) -> int:
    """Of each of so many processes."""
    return max(1, usable_cores() // count) if device == "cpu" else 1


def curve(rates: dict[int, float]) -> list[Throughput]:
    """By number of processes; the first is one alone."""
    alone = rates[1]
    return [Throughput(count, rate, rate / alone) for count, rate in rates.items()]


def powers(most: int) -> list[int]:
    """1, 2, 4, ... up to `most`."""
    return [2**power for power in range(most.bit_length())]


def _steps(path: Path, config: Config, device: str, threads: int, steps: int) -> Iterator[None]:
    torch.set_num_threads(threads)
    training = our_steps(config, path, device)
    for _ in islice(training, WARM):
        pass
    yield
    for _ in islice(training, steps):
        pass
    if device == "cuda":
        torch.cuda.synchronize()


def measure(size: tuple[int, int, int], device: str, counts: Sequence[int], steps: int) -> list[Throughput]:
    """Steps per second of each number of processes."""
    base, side, batch = size
    config = override(Config(), {"detector.base": base, "training.batch": batch})
    with TemporaryDirectory() as folder:
        path = table_of(slices(EPOCH * batch, side), Path(folder) / "t.arrow").path
        return curve(
            {
                count: count * steps / together(count, _steps, path, config, device, threads_for(count, device), steps)
                for count in counts
            }
        )


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
    for one in measure(SIZES[chosen.size], chosen.device, powers(chosen.most), chosen.steps):
        print(f"{one.processes} at a time: {one.rate:.2f} steps/s, {one.gain:.2f} times one alone")


if __name__ == "__main__":
    main()
