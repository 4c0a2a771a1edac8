"""Every speed that is compared, in one call: builds, checks, times in turns, prints a table, writes it as markdown.

    python -m tests.benchmarks.speed [--device cpu|cuda] [--tiny] [--out FILE.md] [MODULE ...]

Needs `core` and what it needs, no Ray. --tiny runs everything at sizes that prove only that it runs.
"""

import argparse
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from core.durable import replacing
from tests.benchmarks.rows import Row

MODULES = ("bench_metrics", "bench_evaluation", "bench_synthesis", "bench_training", "bench_table")


def collect(device: str, tiny: bool, modules: Sequence[str]) -> tuple[list[Row], list[str]]:
    """The rows of the modules, told as they come, and the modules that have none here."""
    found: list[Row] = []
    without: list[str] = []
    for name in modules:
        place = f"tests.benchmarks.{name}"
        module = import_module(place) if find_spec(place) else None
        if hasattr(module, "rows"):
            for row in module.rows(device, tiny):
                print(_line(row), flush=True)
                found.append(row)
        else:
            without.append(name)
    return found, without


def machine(device: str) -> str:
    """Hardware, versions and the date, in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    hardware = torch.cuda.get_device_name() if device == "cuda" else f"{_processor()}, {cores} cores"
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {hardware}, load {os.getloadavg()[0]:.1f}; Python {platform.python_version()}, "
        f"torch {torch.__version__}, NumPy {np.__version__}"
    )


def table(rows: Sequence[Row], machine: str, without: Sequence[str]) -> str:
    """Markdown. The ratio says how many times less ours needs."""
    lines = [machine, "", "| what | ours | theirs | ratio | remark |", "|---|---|---|---|---|"]
    lines += map(_line, rows)
    if without:
        lines += ["", f"Not measured here: {', '.join(without)}."]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    ours, theirs = (f"{value:.3g} {row.unit}" for value in (row.ours, row.theirs))
    return f"| {row.what} | {ours} | {theirs} | {row.theirs / row.ours:.2f} | {row.remark} |"


def _processor() -> str:
    try:
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    except OSError:
        names = []
    return names[0].split(":", 1)[1].strip() if names else platform.processor() or platform.machine()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.speed", description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--tiny", action="store_true", help="sizes that prove only that it runs")
    parser.add_argument("--out", type=Path, help="write the table there, as markdown")
    parser.add_argument("modules", nargs="*", default=MODULES, metavar="MODULE", help="by default all")
    chosen = parser.parse_args(arguments)
    if chosen.device == "cuda" and not torch.cuda.is_available():
        parser.error(f"--device cuda: torch {torch.__version__} sees no GPU here")
    rows, without = collect(chosen.device, chosen.tiny, chosen.modules)
    text = table(rows, machine(chosen.device), without)
    print(f"\n{text}")
    if chosen.out:
        with replacing(chosen.out) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
