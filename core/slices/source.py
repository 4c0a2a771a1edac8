"""Where volumes come from. A source knows names and folders; reading and preprocessing are the same for all.

`folder` and `brats` are sources; HCP, MOOD and BIDS will be.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

NIFTI_SUFFIXES = (".nii.gz", ".nii")


@dataclass(frozen=True)
class VolumeFile:
    """One volume to ingest, named but not yet read.

    volume: name within the source, unique; shown in reports instead of a path, so that tables hold no local folders.
    mask: None says that every slice is known to be normal. labels: the values, besides 0, that the mask may hold; empty
    means any. family: lesion family where it is known. normal_only: keep only slices whose mask is empty.
    fault: why the volume cannot be used, where listing already shows it; ingest skips it with this reason.
    """

    dataset: str
    subject: str
    volume: str
    image: Path
    mask: Path | None = None
    family: str | None = None
    labels: tuple[int, ...] = ()
    normal_only: bool = False
    fault: str = ""


class Source(Protocol):
    """What ingest needs of a source; see tests/slices for what all must do."""

    @property
    def name(self) -> str:
        """The dataset's name, which becomes part of each subject's key; without a slash."""
        ...

    def volumes(self) -> list[VolumeFile]:
        """All volumes, sorted by name, without reading them. Raises BadInput when the folder is not such a source."""
        ...

    def describe(self) -> dict[str, Any]:
        """Kind and options as plain JSON values, for the table's metadata; no absolute paths."""
        ...


def stem(path: Path) -> str:
    """A NIfTI file's name without .nii or .nii.gz."""
    return path.name.removesuffix(".gz").removesuffix(".nii")


def nifti_files(folder: Path) -> list[Path]:
    """The folder's own .nii and .nii.gz files, sorted by name; hidden files are left out."""
    named = (path for path in folder.iterdir() if path.name.endswith(NIFTI_SUFFIXES) and path.name[0] != ".")
    return sorted(path for path in named if path.is_file())


def find_nifti(folder: Path, name: str) -> Path | None:
    """`name`.nii.gz or `name`.nii in this folder, or None."""
    return next((path for suffix in NIFTI_SUFFIXES if (path := folder / f"{name}{suffix}").is_file()), None)
