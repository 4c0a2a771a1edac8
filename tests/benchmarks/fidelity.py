"""Does speed cost quality? The same trainings as they are fastest and plainly, seed by seed, judged by the same probe.

    python -m tests.benchmarks.fidelity TABLE [--device cpu|cuda] [--seeds 5] [--set training.epochs=10]

Fastest is bf16 autocast and, on a GPU, our own kernels; plain is fp32 with torch's operations alone. (That recorded
steps are those that are not is tested bit for bit.) TABLE holds healthy slices; a quarter of its subjects makes the
probe. Printed: the objective of each seed both ways, the paired difference with Student's 95 % interval, and how much
seeds alone differ. Nothing is asserted.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import stdev

from core.config import Config, override, parse_setting
from core.detectors import unet
from core.device import choose_device
from core.evaluation import evaluate, objective, scorer_of
from core.families import held_out_families
from core.intervals import Interval, paired_difference
from core.probes import build_probe
from core.slices.table import SliceTable, open_table
from core.training import train

PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True)
class Fidelity:
    """values: per precision, the objective of each seed. difference: bf16 minus fp32, paired by seed."""

    values: dict[str, list[float]]

    @property
    def difference(self) -> Interval:
        """With Student's interval."""
        return paired_difference(self.values["bf16"], self.values["fp32"])

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        found, noise = self.difference, stdev(self.values["fp32"])
        within = "includes 0" if found.low <= 0 <= found.high else "does not include 0"
        return (
            f"bf16 minus fp32 over {found.seeds} seeds: {found.estimate:+.4f} [{found.low:+.4f}, {found.high:+.4f}], "
            f"which {within}; seeds alone differ by a standard deviation of {noise:.4f}"
        )


def compare(config: Config, table: SliceTable, probe: SliceTable, device: str, seeds: Sequence[int]) -> Fidelity:
    """Train every seed both ways; both draw the same pseudo-outliers from the same first weights."""
    rows = table.rows_without(probe.subjects)
    families = held_out_families(probe)
    values: dict[str, list[float]] = {name: [] for name in PRECISIONS}
    for seed in seeds:
        for name in PRECISIONS:
            chosen = override(config, {"training.precision": name})
            with _torchs_own() if name == "fp32" else nullcontext():
                *_, last = train(chosen, table, rows=rows, seed=seed, device=device)
            scorer = scorer_of(last.detector, bf16=name == "bf16")
            found = evaluate(scorer, probe, device=choose_device(device)).figures()
            values[name].append(objective(found, families))
            print(f"seed {seed}, {name}: {values[name][-1]:.4f}", flush=True)
    return Fidelity(values)


@contextmanager
def _torchs_own() -> Iterator[None]:
    """U-Nets without our kernels."""
    before = unet.can_rectify, unet.can_join
    unet.can_rectify = unet.can_join = lambda *_: False
    try:
        yield
    finally:
        unet.can_rectify, unet.can_join = before


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fidelity", description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    chosen = parser.parse_args(arguments)
    config = override(Config(), dict(parse_setting(item) for item in chosen.set))
    table = open_table(chosen.table)
    with tempfile.TemporaryDirectory() as folder:
        probe = build_probe(table, Path(folder) / "probe.arrow")
        print(compare(config, table, probe, chosen.device, range(chosen.seeds)).sentence)


if __name__ == "__main__":
    main()
