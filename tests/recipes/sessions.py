"""A flat folder of SUBJECT_SESSION.nii.gz, all healthy."""

from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.slices.files import VolumeFile, nifti_by_name, require_folder
from core.slices.preprocess import Preprocessing


class SessionsSource:
    """What stands before the first underscore is the subject. dataset: its name, by default the folder's own."""

    preprocessing = Preprocessing()

    def __init__(self, root: Path, dataset: str | None = None) -> None:
        self.root, self.name = Path(root), dataset or Path(root).resolve().name

    def describe(self) -> dict[str, Any]:
        """Kind and dataset."""
        return {"kind": "sessions", "dataset": self.name}

    def volumes(self) -> list[VolumeFile]:
        """All volumes by name. Raises BadInput on a folder that is missing or has none."""
        require_folder(self.root)
        found = sorted(nifti_by_name(self.root).items())
        if not found:
            raise BadInput(f"{self.root}: holds no .nii or .nii.gz file")
        return [VolumeFile(self.name, name.split("_")[0], name, image) for name, image in found]
