"""Build the probe: fixed pseudo-outliers on held-out healthy subjects, the yardstick of every trial.

Examples:
    python -m core.probe                                  from the demo's training slices
    python -m core.probe --table slices.arrow --held-out 0.25 --out probe.arrow
"""

from pathlib import Path
from typing import Annotated

import typer

from core.console import out, run
from core.probes import FAMILIES, build_probe
from core.slices.demo import demo_tables
from core.slices.table import open_table


def main(
    table: Annotated[Path | None, typer.Option(help="Slice table of healthy slices. Default: the demo's.")] = None,
    path: Annotated[
        Path | None, typer.Option("--out", help="File to write. Default: probe.arrow beside the table.")
    ] = None,
    held_out: Annotated[float, typer.Option(min=0.01, max=0.99, help="Share of the subjects to hold out.")] = 0.25,
    per_family: Annotated[int, typer.Option(min=1, help="Altered slices of each family.")] = 30,
    clean: Annotated[int, typer.Option(min=1, help="Unaltered slices.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split and of the pseudo-outliers.")] = 0,
) -> None:
    """Hold subjects out and write the probe made of them. The study never trains on these subjects."""
    slices = open_table(table or demo_tables()[0])
    target = path or slices.path.with_name("probe.arrow")
    probe = build_probe(slices, target, held_out=held_out, per_family=per_family, clean=clean, seed=seed)
    out.print(f"from {slices.path}: held out {', '.join(probe.subjects)}", markup=False)
    kept = len(slices.subjects) - len(probe.subjects)
    out.print(f"{kept} subjects remain for training", markup=False)
    for name, family in FAMILIES.items():
        note = "held out: no trial may train on it" if family.held_out else "trainable"
        out.print(f"  {name}: {int((probe.family == name).sum())} slices, {note}", markup=False)
    out.print(f"wrote {target}: {len(probe)} slices, digest {probe.digest}", markup=False)


if __name__ == "__main__":
    run(main)
