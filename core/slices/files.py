"""The files of a data set: volumes that are named but not yet read, and how NIfTI files and folders are listed."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import BadInput

NIFTI_SUFFIXES = (".nii.gz", ".nii")
UNPRINTABLE = "its name holds a character that cannot be printed"
"""Why a volume is skipped whose name `printable` would change."""


@dataclass(frozen=True)
class VolumeFile:
    """One volume to ingest, named but not yet read.

    volume: name within the source, unique; shown in reports instead of a path, so that tables hold no local folders.
    mask: None says that every slice is known to be normal. labels: the values, besides 0, that the mask may hold; empty
    means any. family: lesion family where it is known. normal_only: keep only slices whose mask is empty.
    anomalous: whether a label of the whole volume says that its mask holds anything; None where there is no such label.
    mask_on_grid: the mask's voxels are the image's, whatever its own affine says.
    fault: why the volume cannot be used, where listing already shows it; ingest skips it with this reason.
    note: what is unusual about a volume that is used; ingest tells it.
    """

    dataset: str
    subject: str
    volume: str
    image: Path
    mask: Path | None = None
    family: str | None = None
    labels: tuple[int, ...] = ()
    normal_only: bool = False
    anomalous: bool | None = None
    mask_on_grid: bool = False
    fault: str = ""
    note: str = ""


def is_nifti(path: Path) -> bool:
    """Whether a name ends in .nii or .nii.gz, be it in capitals."""
    return path.name.lower().endswith(NIFTI_SUFFIXES)


def stem(path: Path) -> str:
    """A NIfTI file's name without .nii or .nii.gz."""
    ending = next((suffix for suffix in NIFTI_SUFFIXES if path.name.lower().endswith(suffix)), "")
    return path.name[: len(path.name) - len(ending)]


def printable(name: str) -> str:
    """A name as it can stand in a list: one with a line break, a terminal code or bytes that are no text is escaped."""
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def nifti_files(folder: Path) -> list[Path]:
    """The folder's own .nii and .nii.gz files, sorted by name; hidden files are left out.

    Links to nothing are among them, as in a data set that was not fetched yet: reading tells of them.
    """
    named = (path for path in folder.iterdir() if is_nifti(path) and path.name[0] != ".")
    return sorted(path for path in named if _is_file(path))


def nifti_by_name(folder: Path) -> dict[str, Path]:
    """The folder's NIfTI files by their stem. Raises BadInput when a name is there both packed and not."""
    found: dict[str, Path] = {}
    for path in nifti_files(folder):
        if stem(path) in found:
            raise BadInput(f"{folder}: both {found[stem(path)].name} and {path.name}, expected one file per volume")
        found[stem(path)] = path
    return found


def find_nifti(folder: Path, name: str) -> Path | None:
    """`name`.nii.gz or `name`.nii in this folder, or None."""
    return next((path for suffix in NIFTI_SUFFIXES if _is_file(path := folder / f"{name}{suffix}")), None)


def subfolders(folder: Path, pattern: str = "*") -> list[Path]:
    """The folder's own folders and links to folders that match a pattern, sorted by name; hidden ones are left out."""
    return sorted(path for path in folder.glob(pattern) if path.name[0] != "." and path.is_dir())


def folders_below(root: Path) -> Iterator[Path]:
    """`root` and the folders below it, in order. Links to folders are named but not entered: they may lead in circles,
    or anywhere. Raises OSError on a folder that may not be read."""
    yield root
    for path, inner, _ in os.walk(root, onerror=_refused):
        inner[:] = sorted(name for name in inner if name[0] != ".")
        yield from (Path(path, name) for name in inner)


def require_folder(root: Path) -> None:
    """Raise BadInput when there is no such folder."""
    if not root.is_dir():
        raise BadInput(f"{root}: no such folder")


def _is_file(path: Path) -> bool:
    return path.is_file() or (path.is_symlink() and not path.exists())


def _refused(error: OSError) -> None:
    raise error
