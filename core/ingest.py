"""NIfTI volumes to a slice table.

python -m core.ingest                                             the demo's phantoms, into runs/phantom
python -m core.ingest folder PATH --out slices.arrow              PATH/images/*.nii.gz, optionally PATH/masks
python -m core.ingest brats PATH --tumour-free --subjects a,b,c   normals from the tumour-free slices of patients
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from core.console import out, run
from core.errors import BadInput
from core.slices.brats import BratsSource, subject_list
from core.slices.demo import demo_tables
from core.slices.folder import FolderSource
from core.slices.ingesting import ingest
from core.slices.preprocess import Preprocessing
from core.slices.progress import shown
from core.slices.source import Source
from core.slices.table import SliceTable, open_table


def main(
    source: Annotated[
        Literal["phantom", "folder", "brats"], typer.Argument(help="Where the volumes come from.")
    ] = "phantom",
    path: Annotated[Path | None, typer.Argument(help="Folder of the source (not for phantom).")] = None,
    table: Annotated[Path | None, typer.Option("--out", help="Table; default runs/slices/<dataset>.arrow.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Name of the dataset; default the folder's, or brats.")] = None,
    side: Annotated[int, typer.Option(help="Pixels of the square slices.")] = 128,
    slices: Annotated[int | None, typer.Option(help="Central axial slices; default 90, for brats 80.")] = None,
    equalise: Annotated[
        Literal["volume", "slice", "none"], typer.Option(help="Scope of the histogram equalisation.")
    ] = "volume",
    foreground: Annotated[
        Literal["positive", "otsu"], typer.Option(help="positive: above 0; otsu: with skull or air.")
    ] = "positive",
    modality: Annotated[str, typer.Option(help="brats: t1, t1ce, t2 or flair.")] = "t2",
    tumour_free: Annotated[bool, typer.Option("--tumour-free", help="Keep only slices without a lesion.")] = False,
    subjects: Annotated[str | None, typer.Option(help="brats: only these, a,b,c or a text file.")] = None,
    exclude_subjects: Annotated[str | None, typer.Option(help="brats: all but these.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Volumes at a time; default one per core.")] = None,
) -> None:
    """Make a slice table from NIfTI volumes. Bad volumes are skipped and listed."""
    if source == "phantom":
        if path or table:
            raise BadInput("phantom takes neither a path nor --out, since its tables lie in runs/phantom")
        with shown(out, "phantoms") as progress:
            tables = demo_tables(progress=progress)
        for one in tables:
            _tell(open_table(one))
        return
    if path is None:
        raise BadInput(f"{source} needs the folder of its volumes: python -m core.ingest {source} PATH")
    if source == "folder" and (subjects or exclude_subjects):
        raise BadInput("--subjects and --exclude-subjects are for brats, not for folder")

    chosen: Source
    if source == "brats":
        only = subject_list(subjects) if subjects else None
        without = subject_list(exclude_subjects) if exclude_subjects else ()
        name = dataset or "brats"
        chosen = BratsSource(path, modality, only, exclude=without, tumour_free=tumour_free, dataset=name)
    else:
        chosen = FolderSource(path, dataset, normal_only=tumour_free)
    count = (80 if source == "brats" else 90) if slices is None else slices
    settings = Preprocessing(side, count, equalise, foreground=foreground)
    table = table or Path("runs/slices") / f"{chosen.name}.arrow"
    with shown(out, "volumes") as progress:
        report = ingest(chosen, table, settings, workers=workers, progress=progress)
    _tell(report.table)


def _tell(table: SliceTable) -> None:
    skipped = table.metadata.skipped
    volumes = len(table.image_views())
    normal = int(table.normal.sum())
    out.print(str(table.path), markup=False)
    out.print(f"  volumes   {volumes + len(skipped)} found, {volumes} used, {len(skipped)} skipped")
    out.print(f"  subjects  {len(table.subjects)}")
    out.print(f"  slices    {len(table)} of {table.height} x {table.width}, {normal} normal, {len(table) - normal} not")
    if normals := table.metadata.source.get("normals"):
        out.print(f"  normals   {normals}", markup=False)
    out.print(f"  digest    {table.digest}")
    for volume, reason in skipped:
        out.print(f"  skipped   {volume}: {reason}", style="yellow", markup=False)


if __name__ == "__main__":
    run(main)
