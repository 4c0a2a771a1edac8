"""Options that several programs share, as types for typer: one name and one help text for one thing."""

from pathlib import Path
from typing import Annotated, Literal

import typer

DATA = "Data"
"""Heading of the options that name tables."""
MACHINE = "Machine"
"""Heading of the options that say what runs where."""
WRITTEN = "What is written"

Device = Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu or cuda.", rich_help_panel=MACHINE)]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Dotted path of core/config.py and value; may be repeated."),
]
Seed = Annotated[
    int | None, typer.Option(min=0, max=2**32 - 1, metavar="N", help="Seed of all randomness. Default: 0.")
]
Runs = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder of all studies that all nodes see, or s3://BUCKET/FOLDER. Default: runs, ~/runs for a Ray job.",
        rich_help_panel=DATA,
    ),
]
HealthyTable = Annotated[
    Path | None,
    typer.Option(
        "--train",
        "--table",
        metavar="TABLE",
        help="Slice table of healthy slices. Default: the demo's.",
        rich_help_panel=DATA,
    ),
]
VolumeScore = Annotated[
    Literal["mean", "max_slice", "top_slices"],  # core.prediction.volume.Rule, which would import torch
    typer.Option(
        "--volume-score",
        help="A scan's score from its slices'; top_slices is the highest tenth.",
        rich_help_panel=WRITTEN,
    ),
]
