"""Options that the programs of a study share, as types for typer."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from core.errors import BadConfig
from core.options import DATA, MACHINE
from core.runs import RUNS
from study.shipped_spaces import space_names

STUDY = "The study"
"""Heading of the options that say what a study is and how much it spends."""
LOOKING = "Looking, without starting"
"""Heading of the options that only tell."""


class Tool(StrEnum):
    """What --log may name."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"


def searchable(incomplete: str) -> list[str]:
    """What a shell offers for --space of a search."""
    return [name for name in space_names(ablations=False) if name.startswith(incomplete)]


def comparable(incomplete: str) -> list[str]:
    """What a shell offers for --space of an ablation."""
    return [name for name in space_names(ablations=True) if name.startswith(incomplete)]


def study_names(incomplete: str) -> list[str]:
    """What a shell offers for the name of a study: those under `runs`."""
    return [file.parent.name for file in RUNS.glob("*/study.json") if file.parent.name.startswith(incomplete)]


def shared_or_whole(gpus: float | None) -> float | None:
    """--gpus-per-trial, if Ray can set it aside. Raises BadConfig otherwise."""
    if gpus is None or gpus <= 1 or gpus % 1 == 0:
        return gpus
    raise BadConfig(f"--gpus-per-trial: {gpus:g}, expected a share of one GPU, from 0 to 1, or a whole number of GPUs")


TrainTable = Annotated[
    Path | None,
    typer.Option(metavar="TABLE", help="Slice table of healthy slices. Default: the demo's.", rich_help_panel=DATA),
]
ProbeTable = Annotated[
    Path | None,
    typer.Option(metavar="TABLE", help="Probe table. Default: built from the training table.", rich_help_panel=DATA),
]
TestTable = Annotated[
    Path | None,
    typer.Option(
        metavar="TABLE",
        help="Test table, opened only after selection. Default: nothing is tested.",
        rich_help_panel=DATA,
    ),
]
StudyName = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Name of the study. Default: the space's.",
        rich_help_panel=STUDY,
        autocompletion=study_names,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="fixed.PATH=VALUE, study.FIELD=VALUE or arms.NAME.PATH=VALUE; may be repeated. Default: none.",
        rich_help_panel=STUDY,
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="postgresql://USER@HOST/NAME to record trials in. Default: a journal file.",
        rich_help_panel=DATA,
    ),
]
Log = Annotated[
    list[Tool] | None,
    typer.Option(
        help="Also log every epoch for this tool, into the study's folder; may be repeated. Default: for none.",
        rich_help_panel=DATA,
    ),
]
Cpus = Annotated[
    int,
    typer.Option(
        "--cpus-per-trial", min=1, metavar="N", help="CPUs, and threads, of one trial.", rich_help_panel=MACHINE
    ),
]
Gpus = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-trial",
        min=0,
        metavar="SHARE",
        help="GPUs of one trial. Default: 0.25 where there are any.",
        callback=shared_or_whole,
        rich_help_panel=MACHINE,
    ),
]
Memory = Annotated[
    float | None,
    typer.Option(
        "--memory-per-trial",
        min=0.1,
        max=2**20,
        metavar="GIB",
        help="GiB that one training may allocate. Default: no limit.",
        rich_help_panel=MACHINE,
    ),
]
Concurrent = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Trials at a time at most. Default: what fits now.", rich_help_panel=MACHINE),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder on each node's own disk to copy tables to. Default: none is copied.",
        rich_help_panel=MACHINE,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Tell what would be tried, for how long and where, and end: starts no Ray and writes nothing.",
        rich_help_panel=LOOKING,
    ),
]
