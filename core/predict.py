"""Anomaly maps and scores of scans, in the scans' own space.

Examples:
    python -m core.predict scan.nii.gz                     with the newest study's detector, into predictions/
    python -m core.predict runs/mine/retrained scans/ --out found --mask --pictures
    python -m core.predict runs/axial/retrained runs/coronal/retrained runs/sagittal/retrained scans/

Exit codes: 0 every scan was used; 3 some were skipped, each told in one line; 2 none could be used, or a mistake, told
in one sentence; 130 stopped by Ctrl-C. Where a call ends early, scores.csv has the scans that were finished.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from core.console import err, out, run
from core.errors import BadInput
from core.options import DATA, WRITTEN, Device, VolumeScore


def main(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[DETECTOR]... PATH",
            help="Detectors' folders, then a NIfTI file or a folder of them. Default: the newest study's detector. "
            "Each detector sees the plane that it was trained on; the maps of several, such as one for axial, one for "
            "coronal and one for sagittal slices, are averaged.",
        ),
    ],
    folder: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="For maps and scores.", rich_help_panel=WRITTEN)
    ] = Path("predictions"),
    rule: VolumeScore = "top_slices",
    mask: Annotated[
        bool,
        typer.Option("--mask", help="Also write the map cut at the threshold of the probe.", rich_help_panel=WRITTEN),
    ] = False,
    pictures: Annotated[
        bool,
        typer.Option("--pictures", help="Also write slices with the map over them.", rich_help_panel=WRITTEN),
    ] = False,
    table: Annotated[
        Path | None,
        typer.Option(
            "--train",
            "--table",
            metavar="TABLE",
            help="Training table, for a detector that does not tell how its slices were made. Default: the study's.",
            rich_help_panel=DATA,
        ),
    ] = None,
    probe: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="Probe, or held-out healthy slices, that set the scale of the maps. Default: the study's.",
            rich_help_panel=DATA,
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Anomaly maps and scores of scans, in the scans' own space."""
    from core.best import find_best
    from core.device import choose_device
    from core.mirror import address, fetch, place
    from core.prediction.calibration import RARE
    from core.prediction.detectors import open_detector
    from core.prediction.output import Output
    from core.prediction.scans import SOME_SKIPPED, predict_scans, scans
    from core.slices.files import printable
    from core.slices.progress import shown

    *detectors, path = paths
    if file := next((each for each in detectors if each.is_file()), None):
        raise BadInput(f"{file}: expected a detector's folder; several scans are named by their folder, at the end")
    folder = fetch(place(folder))
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"--out {folder}: is a file, expected a folder")
    found = scans(path)
    if path.is_dir() and path.resolve() == folder.resolve():
        raise BadInput(f"--out {folder}: is the folder of the scans, where maps would be scans the next time")
    if (table or probe) and len(detectors) > 1:
        raise BadInput(
            "--train and --probe belong to one detector; complete several one by one, then name them together"
        )
    chosen = choose_device(device)
    folders = [place(each) for each in detectors] or [find_best(None).folder / "retrained"]
    predictors = [open_detector(each, chosen, table=table, probe=probe) for each in folders]
    output = Output(folder, predictors, rule, mask=mask, pictures=pictures)
    output.require_own(found)
    skipped: list[tuple[str, str]] = []
    try:
        with shown(out, "scans") as progress:
            predict_scans(found, predictors, output.keep, progress, skipped)
    finally:
        # Also when the system refuses a file, or after Ctrl-C: what took hours is kept.
        output.finish(skipped, [printable(one.name) for one in found[output.finished + len(skipped) :]])
        if output.finished:
            written = f"{output.finished} maps, scores.csv and slice_scores.csv"
            out.print(f"wrote {written} into {address(folder)}", markup=False)
    told = [
        f"{name}: {share:.0%} of its tissue is above {RARE:.2f}, which one healthy pixel in a hundred exceeds; "
        "is it prepared like the training scans?"
        for name, share in output.unlike.items()
    ]
    told += [
        f"{name}: {share:.0%} of the frame's edge counts as tissue, as air around a head does that is not 0; "
        "its map says little where the training scans had a background of 0"
        for name, share in output.edge.items()
    ]
    for words in (*told, *(f"skipped: {reason}" for _, reason in skipped)):
        err.print(words, style="yellow", markup=False)
    if skipped:
        sys.exit(SOME_SKIPPED)


if __name__ == "__main__":
    run(main)
