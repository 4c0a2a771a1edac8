"""How cost grows: ten times the slices, twice the side, ten times the trials.

    python -m tests.benchmarks.growth [--tiny]

Each line is one thing at two sizes, and how many times more the larger took. Needs Optuna, no Ray.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import optuna
import torch

from core.config import Config, override
from core.slices.layout import TableMetadata
from core.slices.table import open_table, write_table
from study.asha import Asha
from study.ledger import Ledger, open_study
from study.reading import load_space
from study.search_source import SearchSource
from tests.benchmarks.bench_evaluation import network, ours, table
from tests.benchmarks.bench_synthesis import slices
from tests.benchmarks.bench_table import volumes
from tests.benchmarks.bench_training import our_steps, table_of

CPU = torch.device("cpu")


class Growth(NamedTuple):
    """Seconds at two sizes."""

    what: str
    small: float
    large: float


def timed(work: Callable[[], object], rounds: int = 3) -> float:
    """Median seconds after a first round to warm up."""
    took = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        made = work()
        took.append(time.perf_counter() - began)
        del made  # closing is no part of it
    return median(took[1:])


def training(folder: Path, side: int) -> float:
    """Seconds of a step of eight slices, base 8."""
    config = override(Config(), {"detector.base": 8, "training.batch": 8})
    steps = our_steps(config, table_of(slices(16, side), folder / f"{side}.arrow").path, "cpu")
    return timed(lambda: next(steps), 6)


def evaluating(folder: Path, count: int, side: int) -> float:
    """Seconds to evaluate so many slices, base 8."""
    place = folder / f"{count}-{side}"
    place.mkdir()
    rows, detector = table(place, count, side), network(8, CPU)
    return timed(lambda: ours(detector, rows, CPU))


def opening(folder: Path, count: int) -> float:
    """Seconds to open a table of so many volumes of 90 slices."""
    path = write_table(folder / f"{count}.arrow", volumes(count, 90, 32), TableMetadata()).path
    return timed(lambda: open_table(path))


def asking(folder: Path, trials: int) -> float:
    """Seconds to ask for a trial when so many have ended at their first rung."""
    study = open_study(folder / f"{trials}.log", "search")
    ledger = Ledger(study, SearchSource(load_space("everything")[1], trials + 8), 10, 0, Asha(1, 3))
    random = optuna.samplers.RandomSampler(seed=0)
    reseed, ledger._reseed = ledger._reseed, lambda _asked: setattr(study, "sampler", random)  # type: ignore[method-assign]
    assignments = ledger.assignments()
    for number in range(trials):
        one = next(assignments)
        if not ledger.report(one.number, 1, number * 7919 % 1000 / 1000, {}):
            ledger.report(one.number, 2, 0.0, {})
        ledger.finish(one.number)
    ledger._reseed = reseed  # type: ignore[method-assign]
    return timed(lambda: next(assignments))


def measured(tiny: bool) -> list[Growth]:
    """All of them, or at sizes that prove only that they run."""
    few, many, side, wide = (32, 64, 32, 64) if tiny else (256, 2560, 64, 128)
    volumes_, trials = ((2, 20), (4, 12)) if tiny else ((333, 3334), (100, 1000))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = evaluating(folder, few, side)
        return [
            Growth(f"a training step, side {side} to {wide}", training(folder, side), training(folder, wide)),
            Growth(f"evaluation, {few} to {many} slices", base, evaluating(folder, many, side)),
            Growth(f"evaluation, side {side} to {wide}", base, evaluating(folder, few, wide)),
            Growth(
                f"opening, {90 * volumes_[0]:,} to {90 * volumes_[1]:,} slices",
                *(opening(folder, count) for count in volumes_),
            ),
            Growth(f"asking after {trials[0]} to {trials[1]} trials", *(asking(folder, count) for count in trials)),
        ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth", description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="sizes that prove only that it runs")
    for one in measured(parser.parse_args(arguments).tiny):
        print(f"| {one.what} | {one.small:.3g} s | {one.large:.3g} s | {one.large / one.small:.1f} |", flush=True)


if __name__ == "__main__":
    main()
