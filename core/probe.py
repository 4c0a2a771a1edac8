"""Build the probe: fixed pseudo-outliers on held-out healthy subjects, the yardstick of every trial.

Examples:
    python -m core.probe                                  from the demo's training slices
    python -m core.probe --train slices.arrow --held-out 0.25 --out probe.arrow

Exit codes: 0 done; 2 a mistake, told in one sentence; 130 stopped by Ctrl-C.
"""

from pathlib import Path
from typing import Annotated

import typer

from core.console import out, run
from core.options import DATA, HealthyTable, Seed

_SIZE = "What the probe holds"


def main(
    table: HealthyTable = None,
    path: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="TABLE",
            help="File to write. Default: probe.arrow beside the table.",
            rich_help_panel=DATA,
        ),
    ] = None,
    held_out: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=0.99,
            metavar="SHARE",
            help="Of the subjects, held out; at most as many as the probe has slices.",
            rich_help_panel=_SIZE,
        ),
    ] = 0.25,
    per_family: Annotated[
        int, typer.Option(min=1, metavar="N", help="Altered slices of each family.", rich_help_panel=_SIZE)
    ] = 30,
    clean: Annotated[int, typer.Option(min=1, metavar="N", help="Unaltered slices.", rich_help_panel=_SIZE)] = 60,
    seed: Seed = None,
) -> None:
    """Hold subjects out and write the probe made of them. The study never trains on these subjects."""
    from core.families import FAMILIES
    from core.probes import build_probe
    from core.slices.demo import demo_tables
    from core.slices.table import open_table

    slices = open_table(table or demo_tables()[0])
    target = path or slices.path.with_name("probe.arrow")
    probe = build_probe(slices, target, held_out=held_out, per_family=per_family, clean=clean, seed=seed or 0)
    out.print(f"from {slices.path}: held out {', '.join(probe.subjects)}", markup=False)
    kept = len(slices.subjects) - len(probe.subjects)
    out.print(f"{kept} subjects remain for training", markup=False)
    for name, family in FAMILIES.items():
        note = "held out: no trial may train on it" if family.held_out else "trainable"
        out.print(f"  {name}: {int((probe.family == name).sum())} slices, {note}", markup=False)
    out.print(f"wrote {target}: {len(probe)} slices, digest {probe.digest}", markup=False)


if __name__ == "__main__":
    run(main)
