"""NIfTI volumes to a slice table.

Examples:
    python -m core.ingest                                            the demo's phantoms, into runs/phantom
    python -m core.ingest folder PATH --out slices.arrow             PATH/images/*.nii.gz, optionally PATH/masks
    python -m core.ingest hcp PATH --subjects training.txt           the paper's training data: 90 slices of T2
    python -m core.ingest brats PATH --paper-cases                   the paper's test data: 80 slices of 368 patients
    python -m core.ingest brats PATH --tumour-free --subjects a,b,c  normals from the tumour-free slices of patients
    python -m core.ingest mood PATH --modality abdominal             a training folder, or one with toy and toy_label
    python -m core.ingest bids PATH --group control                  sub-*/anat/*_T2w.nii.gz of a group
    python -m core.ingest bids PATH --masks PIPELINE                 with lesion masks of PATH/derivatives/PIPELINE
    python -m core.ingest manifest volumes.csv                       columns image, subject, optionally mask and more

Exit codes: 0 done, volumes that could not be used are listed; 2 none could be used, or a mistake, told in one sentence;
130 stopped by Ctrl-C, the same command goes on.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.console import out, run
from core.errors import BadInput
from core.options import DATA, MACHINE

if TYPE_CHECKING:
    from core.slices.table import SliceTable

_CHOSEN, _MADE = "Which volumes and slices", "How slices are made"


def main(
    source: Annotated[
        Literal["phantom", "folder", "hcp", "brats", "mood", "bids", "manifest"],
        typer.Argument(metavar="SOURCE", help="phantom, folder, hcp, brats, mood, bids or manifest."),
    ] = "phantom",
    path: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="Folder, or manifest. Default: none, for phantom.")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--out", metavar="TABLE", help="Default: runs/slices/DATASET.arrow.", rich_help_panel=DATA),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the dataset. Default: the source's or folder's.", rich_help_panel=DATA),
    ] = None,
    modality: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="brats: t2, t1, t1ce, flair; bids: T2w or another suffix; hcp: restore_brain, restore, unprocessed; "
            "mood: brain, abdominal. Default: the first.",
            rich_help_panel=_CHOSEN,
        ),
    ] = None,
    slices: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Central slices, 0 for all. Default: 90, brats 80, mood 128 or 256 by modality.",
            rich_help_panel=_CHOSEN,
        ),
    ] = None,
    tumour_free: Annotated[
        bool, typer.Option("--tumour-free", help="Keep only slices without a lesion.", rich_help_panel=_CHOSEN)
    ] = False,
    subjects: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="hcp, brats: only these, a,b,c or a text file. Default: all.", rich_help_panel=_CHOSEN
        ),
    ] = None,
    exclude_subjects: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="hcp, brats: all but these. Default: none.", rich_help_panel=_CHOSEN),
    ] = None,
    paper_cases: Annotated[
        bool, typer.Option("--paper-cases", help="brats: the paper's 368 cases of 2020.", rich_help_panel=_CHOSEN)
    ] = False,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="VALUE",
            help="bids, manifest: a value of the column group, or column=value. Default: all.",
            rich_help_panel=_CHOSEN,
        ),
    ] = None,
    masks: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="bids: folder of derivatives that has the lesion masks. Default: there are none.",
            rich_help_panel=_CHOSEN,
        ),
    ] = None,
    side: Annotated[
        int | None, typer.Option(metavar="N", help="Pixels of the square slices. Default: 128.", rich_help_panel=_MADE)
    ] = None,
    plane: Annotated[
        Literal["axial", "coronal", "sagittal"] | None,
        typer.Option(help="Of the slices, in the volume's canonical axes. Default: axial.", rich_help_panel=_MADE),
    ] = None,
    equalise: Annotated[
        Literal["volume", "slice", "none"] | None,
        typer.Option(
            help="Scope of the histogram equalisation. Default: volume, for mood none.", rich_help_panel=_MADE
        ),
    ] = None,
    foreground: Annotated[
        Literal["positive", "otsu"] | None,
        typer.Option(help="positive: above 0; otsu: with skull or air. Default: by source.", rich_help_panel=_MADE),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Volumes at a time. Default: one per core.", rich_help_panel=MACHINE),
    ] = None,
) -> None:
    """Make a slice table from NIfTI volumes. Bad volumes are skipped and listed; after an interruption it goes on."""
    from core.slices.demo import demo_tables
    from core.slices.ingesting import ingest
    from core.slices.progress import shown
    from core.slices.sources import open_source
    from core.slices.table import open_table

    options = {
        "modality": modality,
        "tumour-free": tumour_free,
        "subjects": subjects,
        "exclude-subjects": exclude_subjects,
        "paper-cases": paper_cases,
        "group": group,
        "masks": masks,
    }
    made: dict[str, Any] = {
        "side": side, "slices": slices, "plane": plane, "equalise": equalise, "foreground": foreground
    }  # fmt: skip
    if source == "phantom":
        if path or table:
            raise BadInput("phantom takes neither a path nor --out, since its tables lie in runs/phantom")
        if given := [
            name
            for name, value in {"dataset": dataset, **options, **made}.items()
            if value is not None and value is not False
        ]:
            raise BadInput(f"phantom takes no --{given[0]}, since its tables are always the same")
        with shown(out, "phantoms") as progress:
            tables = demo_tables(progress=progress)
        for one in tables:
            _tell(open_table(one))
        return
    if path is None:
        raise BadInput(f"{source} needs the place of its volumes: python -m core.ingest {source} PATH")
    chosen = open_source(source, path, dataset, options)
    settings = replace(chosen.preprocessing, **{name: value for name, value in made.items() if value is not None})
    table = table or Path("runs/slices") / f"{chosen.name}.arrow"
    with shown(out, "volumes") as progress:
        report = ingest(chosen, table, settings, workers=workers, progress=progress)
    if report.resumed:
        out.print(f"{report.resumed} of the volumes had been read before an interruption")
    _tell(report.table)


def _tell(table: "SliceTable") -> None:
    from core.slices.frame_edge import AIR, edge_share

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
    shares = [edge_share(images) for images in table.image_views()]
    if airy := [n for n, share in enumerate(shares) if share > AIR]:
        name = table.volume[table.span(airy[0])[0]]
        out.print(
            f"  note      {len(airy)} of {volumes} volumes, such as {name}: {shares[airy[0]]:.0%} of the frame's edge "
            "counts as tissue, as air around a head does; --foreground otsu finds the head",
            style="yellow",
            markup=False,
        )
    for volume, note in table.metadata.source.get("notes", ()):
        out.print(f"  note      {volume}: {note}", markup=False)
    for volume, reason in skipped:
        out.print(f"  skipped   {volume}: {reason}", style="yellow", markup=False)


if __name__ == "__main__":
    run(main)
