"""Where the time of a training step goes, ours and the plain loop's: the operators of torch with their shares.

    python -m tests.benchmarks.profile_step [--device cpu|cuda] [--size small|paper] [--steps 6]

The arithmetic is also set against the fastest matrix product of this machine: what no implementation of the same fp32
convolutions can beat.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from core.config import Config, override
from tests.benchmarks.bench_synthesis import slices
from tests.benchmarks.bench_training import SIZES, our_steps, plain_steps, table_of

SHOWN = 8


class Share(NamedTuple):
    """An operator and its share of the time of all operators, 0 to 1."""

    operator: str
    share: float


def shares(steps: Iterator[float], device: str, count: int) -> list[Share]:
    """The operators of so many steps after a warm one, most costly first."""
    next(steps)
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    with profile(activities=kinds) as seen:
        for _ in range(count):
            next(steps)
    on = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    times = {event.key: float(getattr(event, on)) for event in seen.key_averages()}
    total = sum(times.values())
    return [Share(name, spent / total) for name, spent in sorted(times.items(), key=lambda item: -item[1])]


def arithmetic(config: Config, side: int, device: str) -> tuple[float, float]:
    """GFLOP of a step, forward and backward, and the seconds of it at the rate of the best large matrix product."""
    with torch.device("meta"):  # counted, not computed
        network = config.detector.build(config.loss)
        image, mask = torch.rand(config.training.batch, 1, side, side), torch.zeros(config.training.batch, side, side)
    with FlopCounterMode(display=False) as counter:
        network.loss(network.anomaly_map(image), mask).backward()
    work = counter.get_total_flops()
    left, right = torch.rand(2, 2048, 2048, device=device)
    best = float("inf")
    for _ in range(8):
        began = time.perf_counter()
        product = left @ right
        float(product[0, 0])  # waits for a GPU
        best = min(best, time.perf_counter() - began)
    return work / 1e9, work / (2 * 2048**3 / best)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.profile_step", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--size", choices=list(SIZES), default="small")
    parser.add_argument("--steps", type=int, default=6)
    chosen = parser.parse_args(arguments)
    base, side, batch = SIZES[chosen.size]
    config = override(Config(), {"detector.base": base, "training.batch": batch})
    images = slices(4 * batch, side)
    with tempfile.TemporaryDirectory() as folder:
        table = table_of(images, Path(folder) / "t.arrow")
        ways = {
            "ours": our_steps(config, table.path, chosen.device),
            "plain loop": plain_steps(config, images, chosen.device),
        }
        for name, steps in ways.items():
            print(f"{name}:")
            for one in shares(steps, chosen.device, chosen.steps)[:SHOWN]:
                print(f"  {one.share:6.1%}  {one.operator}")
    work, least = arithmetic(config, side, chosen.device)
    print(f"a step is {work:.1f} GFLOP, which take {least:.3g} s at the rate of a matrix product")


if __name__ == "__main__":
    main()
