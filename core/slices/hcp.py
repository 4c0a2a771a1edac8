"""Human Connectome Project, Young Adult: healthy heads in T2, one folder per subject as ConnectomeDB unpacks them.

    <subject>/T1w/T2w_acpc_dc_restore_brain.nii.gz                     restore_brain: skull-stripped, 0.7 mm
    <subject>/T1w/T2w_acpc_dc_restore.nii.gz                           restore: the same with skull and neck
    <subject>/unprocessed/3T/T2w_SPC1/<subject>_3T_T2w_SPC1.nii.gz     unprocessed: as scanned

The paper takes 90 complete central slices of 45 subjects and names neither: `subjects` chooses them.
Van Essen et al., NeuroImage 2013.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, get_args

from core.errors import BadInput
from core.slices.choosing import choose
from core.slices.files import VolumeFile, find_nifti, nifti_files, require_folder, stem, subfolders
from core.slices.preprocess import Preprocessing

Image = Literal["restore_brain", "restore", "unprocessed"]
_NAMES = {"restore_brain": "T2w_acpc_dc_restore_brain", "restore": "T2w_acpc_dc_restore"}
_UNPROCESSED = "unprocessed/3T/T2w_SPC1"


class HcpSource:
    """Subjects that are folders of `root`; every slice is normal. image: which of the three files above.

    subjects: only these, None for all; exclude: all but these.
    """

    def __init__(
        self,
        root: Path,
        image: str = "restore_brain",
        subjects: Collection[str] | None = None,
        *,
        exclude: Collection[str] = (),
        dataset: str = "hcp",
    ) -> None:
        if image not in get_args(Image):
            raise BadInput(f"HCP image {image!r}: expected {', '.join(get_args(Image))}")
        self.root = Path(root)
        self.name = dataset
        self.image = image
        self.subjects = subjects
        self.exclude = exclude

    @property
    def preprocessing(self) -> Preprocessing:
        """90 slices, equalised, 128 x 128; only the skull-stripped image has background 0."""
        return Preprocessing(slices=90, foreground="positive" if self.image == "restore_brain" else "otsu")

    def describe(self) -> dict[str, Any]:
        """Kind, image, and the choice of subjects."""
        return {
            "kind": "hcp",
            "dataset": self.name,
            "image": self.image,
            "subjects": None if self.subjects is None else sorted(self.subjects),
            "excluded": sorted(self.exclude),
        }

    def volumes(self) -> list[VolumeFile]:
        """The chosen subjects by name; one without the image is listed with its fault.

        Raises BadInput on a missing folder, one without subjects, or a wrong choice.
        """
        require_folder(self.root)
        folders = {
            folder.name: folder
            for folder in subfolders(self.root)
            if (folder.name.isdigit() and len(folder.name) == 6)
            or (folder / "T1w").is_dir()
            or (folder / "unprocessed").is_dir()
        }
        if not folders:
            raise BadInput(f"{self.root}: holds no HCP subject, such as 100307/T1w/{_NAMES['restore_brain']}.nii.gz")
        return [self._volume(name, folders[name]) for name in choose(self.root, folders, self.subjects, self.exclude)]

    def _volume(self, subject: str, folder: Path) -> VolumeFile:
        if self.image == "unprocessed":
            where, wanted = folder / _UNPROCESSED, f"{_UNPROCESSED}/{subject}_3T_T2w_SPC1"
            files = [path for path in nifti_files(where) if stem(path).endswith("_T2w_SPC1")] if where.is_dir() else []
            fault = f"has {len(files)} files {_UNPROCESSED}/*_T2w_SPC1.nii.gz, expected one" if len(files) > 1 else ""
            found = files[0] if files else None
        else:
            wanted = f"T1w/{_NAMES[self.image]}"
            found, fault = find_nifti(folder / "T1w", _NAMES[self.image]), ""
        fault = fault if found else f"has no {wanted}.nii.gz"
        return VolumeFile(self.name, subject, f"{subject}_{self.image}", found or folder, fault=fault)
