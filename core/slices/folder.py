"""A plain folder of NIfTI volumes.

    root/images/*.nii.gz    one volume each (or the files lie in root itself)
    root/masks/*.nii.gz     optional, the same names; without this folder every slice is known to be normal
    root/volumes.csv        optional: volume,subject,family; a subject may have several volumes

Without volumes.csv each volume is a subject of its own. An empty family is none.
"""

from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.slices.files import VolumeFile, nifti_by_name, require_folder
from core.slices.preprocess import Preprocessing
from core.slices.rows import read_rows

COLUMNS = ("volume", "subject", "family")


class FolderSource:
    """Volumes of a folder laid out as above. dataset: its name, by default the folder's own.

    normal_only: keep only slices whose mask is empty, which makes normals out of patients.
    """

    preprocessing = Preprocessing()

    def __init__(self, root: Path, dataset: str | None = None, *, normal_only: bool = False) -> None:
        self.root = Path(root)
        self.name = dataset or self.root.resolve().name
        self.normal_only = normal_only

    def describe(self) -> dict[str, Any]:
        """Kind, dataset, whether masks exist, and the kind of normals."""
        patients = {"normals": "slices without a lesion, of patients"} if self.normal_only else {}
        masks = (self.root / "masks").is_dir()
        return {"kind": "folder", "dataset": self.name, "masks": masks, "normal_only": self.normal_only, **patients}

    def volumes(self) -> list[VolumeFile]:
        """All volumes by name. Raises BadInput on a missing or empty folder, stray masks, a wrong volumes.csv, or no
        masks to choose normals by."""
        images, masks = self._images(), self._masks()
        if self.normal_only and masks is None:
            raise BadInput(f"{self.root}: has no folder masks, so --tumour-free cannot tell which slices have lesions")
        table = self._rows(set(images))
        if stray := sorted(set(masks or {}) - set(images)):
            raise BadInput(f"{self.root / 'masks'}: no image belongs to the mask {', '.join(stray[:5])}")
        return [self._volume(name, path, masks, *table.get(name, (name, None))) for name, path in images.items()]

    def _volume(
        self, name: str, image: Path, masks: dict[str, Path] | None, subject: str, family: str | None
    ) -> VolumeFile:
        mask = None if masks is None else masks.get(name)
        fault = f"has no mask, although {self.root.name}/masks exists" if masks is not None and mask is None else ""
        return VolumeFile(self.name, subject, name, image, mask, family, normal_only=self.normal_only, fault=fault)

    def _images(self) -> dict[str, Path]:
        require_folder(self.root)
        folder = self.root / "images" if (self.root / "images").is_dir() else self.root
        if images := nifti_by_name(folder):
            return dict(sorted(images.items()))
        raise BadInput(f"{folder}: holds no .nii or .nii.gz file")

    def _masks(self) -> dict[str, Path] | None:
        folder = self.root / "masks"
        return nifti_by_name(folder) if folder.is_dir() else None

    def _rows(self, names: set[str]) -> dict[str, tuple[str, str | None]]:
        path = self.root / "volumes.csv"
        if not path.exists():
            return {}
        rows = read_rows(path)
        if "volume" not in rows.columns or (unknown := [name for name in rows.columns if name not in COLUMNS]):
            wrong = "has no column volume" if "volume" not in rows.columns else f"has an unknown column {unknown[0]!r}"
            raise BadInput(f"{path}: {wrong}, expected {', '.join(COLUMNS)}")

        found: dict[str, tuple[str, str | None]] = {}
        for line, row in rows.lines:
            name = row["volume"]
            if name not in names:
                raise BadInput(f"{rows.where(line)}: no image belongs to volume {name!r}")
            if name in found:
                raise BadInput(f"{rows.where(line)}: volume {name!r} is listed a second time")
            found[name] = (row.get("subject") or name, row.get("family") or None)
        if missing := sorted(names - set(found)):
            raise BadInput(f"{path}: has no line for volume {', '.join(missing[:5])}")
        return found
