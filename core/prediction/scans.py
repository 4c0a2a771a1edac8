"""Many scans, one after the other: each is read, scored and handed on before the next; a bad one harms no other."""

from collections.abc import Callable
from pathlib import Path

from core.errors import BadInput, BadVolume
from core.prediction.volume import Prediction, Predictor, predict_volume
from core.slices.files import UNPRINTABLE, is_nifti, nifti_by_name, printable, stem
from core.slices.ingesting import Told

SOME_SKIPPED = 3
"""A program's exit code when some scans could be used and others not."""
Kept = Callable[[str, Prediction], None]
"""Called with the scan's name, without .nii or .nii.gz, and its prediction."""


def scans(path: Path) -> list[Path]:
    """A NIfTI file, or those of a folder by name. Raises BadInput when there are none, or two of one name."""
    if path.is_dir():
        found = nifti_by_name(path)
        if not found:
            raise BadInput(f"{path}: holds no .nii or .nii.gz file")
        return list(found.values())
    if not path.is_file():
        raise BadInput(f"{path}: no such file or folder")
    if not is_nifti(path):
        raise BadInput(f"{path}: expected a .nii or .nii.gz file, or a folder of them")
    return [path]


def predict_scans(
    paths: list[Path], predictors: list[Predictor], keep: Kept, progress: Told, skipped: list[tuple[str, str]]
) -> None:
    """Predict each scan and hand it to `keep`; (scan, reason) of each that cannot be used is put into `skipped`.

    Raises BadInput when none can, and OSError when the system refuses a file that `keep` writes. One scan is held at a
    time.
    """
    for done, path in enumerate(paths, start=1):
        name = printable(path.name)
        try:
            if name != path.name:
                raise BadVolume(f"{name}: {UNPRINTABLE}")
            keep(stem(path), predict_volume(path, predictors))
        except BadVolume as mistake:
            skipped.append((name, str(mistake)))
        except MemoryError:
            skipped.append((name, f"{path}: does not fit into memory"))
        progress(done, len(paths), name)
    if len(skipped) == len(paths):
        raise BadInput(f"none of {len(paths)} scans can be used; the first: {skipped[0][1]}")
