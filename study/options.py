"""Options that the programs of a study share, as types for typer."""

from pathlib import Path
from typing import Annotated

import typer

TrainTable = Annotated[Path | None, typer.Option(help="Slice table of healthy slices. Default: the demo's.")]
ProbeTable = Annotated[Path | None, typer.Option(help="Probe table. Default: built from the training table.")]
TestTable = Annotated[Path | None, typer.Option(help="Test table, opened only after selection.")]
StudyName = Annotated[str | None, typer.Option(help="Name of the study. Default: the space's.")]
Runs = Annotated[
    Path | None, typer.Option(help="Folder of all studies that all nodes see, or s3://BUCKET/FOLDER. Default: runs.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="fixed.PATH=VALUE, study.FIELD=VALUE or arms.NAME.PATH=VALUE, may be repeated."),
]
Database = Annotated[
    str | None, typer.Option(help="postgresql://USER@HOST/NAME to record trials in. Default: a journal file.")
]
Cpus = Annotated[int, typer.Option("--cpus-per-trial", min=1, help="CPUs, and threads, of one trial.")]
Gpus = Annotated[
    float | None, typer.Option("--gpus-per-trial", min=0, help="GPUs of one trial. Default: 1 where there are any.")
]
Memory = Annotated[
    float | None,
    typer.Option("--memory-per-trial", min=0.1, help="GiB that one training may allocate. Default: no limit."),
]
Concurrent = Annotated[int | None, typer.Option(min=1, help="Trials at a time at most. Default: what fits now.")]
Cache = Annotated[
    Path | None, typer.Option(help="Folder on each node's own disk to copy tables to. Default: none is copied.")
]
