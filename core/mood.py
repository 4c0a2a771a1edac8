"""Answers in the form of the MOOD challenge: one file per case, under the case's name, into a folder.

python -m core.mood pixel IN OUT DETECTOR...     OUT/CASE.nii.gz, a float map of the case's shape and affine
python -m core.mood sample IN OUT DETECTOR...    OUT/CASE.nii.gz.txt, one float in [0, 1]

IN is a flat folder of *.nii.gz. Both scales are fixed, so that a case's answer does not depend on the other cases.
Exit codes are those of core.predict; a case that cannot be used has no answer, which the challenge counts as zeros.
"""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from core.console import err, out, run
from core.device import choose_device
from core.durable import replacing
from core.errors import BadInput
from core.mirror import place
from core.options import Device, VolumeScore
from core.prediction.detectors import open_detector
from core.prediction.scans import SOME_SKIPPED, predict_scans, scans
from core.prediction.volume import Prediction
from core.prediction.writing import write_nifti
from core.slices.progress import shown


def main(
    level: Annotated[Literal["pixel", "sample"], typer.Argument(help="Maps, or one score per case.")],
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of *.nii.gz.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the answers.")],
    detectors: Annotated[list[Path], typer.Argument(metavar="DETECTOR...", help="Folders of detectors.")],
    rule: VolumeScore = "top_slices",
    device: Device = "auto",
) -> None:
    """Score the cases of a folder as the MOOD challenge asks."""
    cases = scans(source)
    if level == "pixel" and (case := next((case for case in cases if case.parent.resolve() == target.resolve()), None)):
        raise BadInput(f"{target}: is the folder of {case.name}, which a map of the same name would replace")
    predictors = [open_detector(place(each), choose_device(device)) for each in detectors]

    def keep(_: str, prediction: Prediction) -> None:
        answer = target / prediction.path.name
        if level == "pixel":
            write_nifti(answer, prediction.path, prediction.map, "anomaly map, calibrated, 0 to 1")
            return
        with replacing(answer.with_name(f"{answer.name}.txt")) as temporary:
            temporary.write_text(f"{prediction.volume_score(rule):.9g}\n", encoding="ascii")

    skipped: list[tuple[str, str]] = []
    with shown(out, "cases") as progress:
        predict_scans(cases, predictors, keep, progress, skipped)
    for _, reason in skipped:
        err.print(f"skipped: {reason}", style="yellow", markup=False)
    if skipped:
        sys.exit(SOME_SKIPPED)


if __name__ == "__main__":
    run(main)
