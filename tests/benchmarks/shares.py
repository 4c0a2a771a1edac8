"""How many whole trials at a time are best on one device: trials a minute of 1, 2, 4, ... processes together.

    python -m tests.benchmarks.shares [--device cpu|cuda] [--size small|paper] [--trials 2] [--most 8]

What a worker of a study does, without Ray: it opens the tables, trains, and after each epoch scores the probe, writes
sample maps and a checkpoint; nothing stops a trial early. Processes are warm, as workers are reused, and each may take
its share of a GPU's memory. Also printed: where the time of one trial alone goes.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from core.config import Config, override
from core.device import uses_bf16
from core.evaluation import evaluate, scorer_of
from core.probes import build_probe
from core.sample_maps import FILE, rows_to_sample, write_sample_maps
from core.slices.layout import TableMetadata, VolumeSlices
from core.slices.table import SliceTable, open_table, write_table
from core.training import train
from tests.benchmarks.bench_synthesis import slices
from tests.benchmarks.bench_training import SIZES
from tests.benchmarks.side_by_side import Throughput, curve, powers, threads_for
from tests.benchmarks.together import together

SLICES, SUBJECTS = 960, 4  # one of the subjects makes the probe
EPOCHS = {"small": 5, "paper": 10}


class Parts(NamedTuple):
    """Seconds of one trial: all of it, of training, and of scoring; the rest is beginning and saving."""

    all: float
    training: float
    scoring: float


def trial(train_on: Path, probe_on: Path, config: Config, device: str, seed: int) -> Parts:
    """One trial from its begin to its end."""
    began, scoring = time.perf_counter(), []
    table, probe = open_table(train_on), open_table(probe_on)
    where, shown = torch.device(device), rows_to_sample(probe)
    bf16 = uses_bf16(config.training, where)
    with TemporaryDirectory() as folder:

        def figures(detector: nn.Module) -> dict[str, float]:
            started = time.perf_counter()
            scorer = scorer_of(detector, bf16=bf16)
            found = evaluate(scorer, probe, device=where).figures()
            write_sample_maps(Path(folder) / FILE, scorer, probe, shown, device=where)
            scoring.append(time.perf_counter() - started)
            return found

        rows, kept = table.rows_without(probe.subjects), Path(folder) / "checkpoints"
        epochs = train(config, table, seed=seed, rows=rows, device=device, checkpoints=kept, evaluate=figures)
        training = sum(epoch.seconds for epoch in epochs)
    return Parts(time.perf_counter() - began, training, sum(scoring))


def _trials(
    train_on: Path, probe_on: Path, config: Config, device: str, threads: int, share: float, trials: int
) -> Iterator[None]:
    torch.set_num_threads(threads)
    if device == "cuda":
        torch.cuda.set_per_process_memory_fraction(share)
    trial(train_on, probe_on, override(config, {"training.epochs": 1}), device, 0)
    yield
    for seed in range(trials):
        trial(train_on, probe_on, config, device, seed)


def tables(folder: Path, count: int, side: int) -> tuple[SliceTable, SliceTable]:
    """Healthy slices of several subjects, and a probe of one of them."""
    smooth, volumes = slices(count, side), []
    noise = np.random.default_rng(0).normal(0, 0.2, smooth.shape)  # or the probe's blur would change nothing
    rough = np.where(smooth > 0, np.clip(smooth + noise, 1 / 255, 1), 0)
    for subject, images in enumerate(np.array_split(rough, SUBJECTS)):
        pixels = np.rint(255 * images).astype(np.uint8)
        number = np.arange(len(pixels), dtype=np.int32)
        name = f"subject-{subject}"
        volumes.append(VolumeSlices("bench", name, name, pixels, np.zeros_like(pixels), number, [None] * len(pixels)))
    table = write_table(folder / "train.arrow", volumes, TableMetadata())
    return table, build_probe(table, folder / "probe.arrow")


def measure(
    size: tuple[int, int, int], device: str, counts: Sequence[int], trials: int, epochs: int, count: int = SLICES
) -> tuple[Parts, list[Throughput]]:
    """Where the time of a second trial in a process goes, and trials a minute of each number of processes."""
    base, side, batch = size
    config = override(Config(), {"detector.base": base, "training.batch": batch, "training.epochs": epochs})
    rates: dict[int, float] = {}
    with TemporaryDirectory() as folder:
        table, probe = tables(Path(folder), count, side)
        # First: the others' server, which has loaded nothing, would be that of the processes which draw, too.
        _, parts = (trial(table.path, probe.path, config, device, seed) for seed in (0, 1))
        for at_once in counts:
            threads = threads_for(at_once, device)
            given = (table.path, probe.path, config, device, threads, 1 / at_once, trials)
            rates[at_once] = 60 * at_once * trials / together(at_once, _trials, *given)
    return parts, curve(rates)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.shares", description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--size", choices=list(SIZES), default="small")
    parser.add_argument("--trials", type=int, default=2, help="of each process")
    parser.add_argument("--most", type=int, default=8, help="processes")
    chosen = parser.parse_args(arguments)
    epochs = EPOCHS[chosen.size]
    parts, found = measure(SIZES[chosen.size], chosen.device, powers(chosen.most), chosen.trials, epochs)
    for one in found:
        print(f"{one.processes} at a time: {one.rate:.1f} trials a minute, {one.gain:.2f} times one alone")
    rest = parts.all - parts.training - parts.scoring
    print(
        f"one alone: {parts.all:.2f} s, of which training {parts.training:.2f}, scoring {parts.scoring:.2f}, beginning "
        f"and saving {rest:.2f}"
    )


if __name__ == "__main__":
    main()
