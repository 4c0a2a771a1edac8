"""Small volumes, good ones and what is left of a table beside a bad one."""

from pathlib import Path

import nibabel as nib
import numpy as np

from core.slices import open_table
from core.slices.ingesting import IngestReport
from core.slices.preprocess import Preprocessing

SMALL = Preprocessing(side=16, slices=6)
SHAPE = (12, 14, 10)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def voxels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 900, SHAPE).astype(np.int16)


def save(path: Path, values: np.ndarray, affine: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, np.eye(4) if affine is None else affine), path)


def good(root: Path) -> None:
    for n in range(3):
        save(root / "images" / f"good{n}.nii.gz", voxels(n))


def check(report: IngestReport, sentence: str) -> None:
    assert [name for name, _ in report.skipped] == ["bad"]
    reason = report.skipped[0][1]
    assert reason.startswith("bad.nii.gz: ")
    assert sentence in reason
    assert "\n" not in reason
    assert "/" not in reason
    again = open_table(report.table.path, verify=True)
    assert again.metadata.skipped == report.skipped
    assert again.subjects == ("d/good0", "d/good1", "d/good2")
    assert len(again) == 18
