"""Write a trained detector as one file that loads without this package.

Examples:
    python -m core.export                                   the newest study's detector as detector.pt2 beside it
    python -m core.export runs/mine/retrained --out detector.onnx

In plain torch: `torch.export.load("detector.pt2").module()(images)`, images (B, 1, H, W) float32 in [0, 1].

Exit codes: 0 done; 2 a mistake, told in one sentence; 130 stopped by Ctrl-C.
"""

from pathlib import Path
from typing import Annotated

import typer

from core.console import out, run


def main(
    detector: Annotated[
        Path | None,
        typer.Argument(
            metavar="DETECTOR", help="Folder with model.safetensors and config.json. Default: the newest study's."
        ),
    ] = None,
    path: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="A .pt2 file for torch or .onnx for ONNX. Default: detector.pt2 in the folder.",
        ),
    ] = None,
) -> None:
    """Write a trained detector for plain torch (.pt2) or ONNX runtimes (.onnx), and compare its maps once."""
    from core.best import find_best
    from core.exporting import export
    from core.mirror import address, place

    folder = place(detector) if detector else find_best(None).folder / "retrained"
    target = place(path) if path else folder / "detector.pt2"
    difference = export(folder, target)
    out.print(f"wrote {address(target)}: {target.stat().st_size / 1e6:.1f} MB", markup=False)
    out.print(f"its maps are the detector's within {difference:.1e}", markup=False)


if __name__ == "__main__":
    run(main)
