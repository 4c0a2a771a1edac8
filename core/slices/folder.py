"""A plain folder of NIfTI volumes.

    root/images/*.nii.gz    one volume each (or the files lie in root itself)
    root/masks/*.nii.gz     optional, the same names; without this folder every slice is known to be normal
    root/volumes.csv        optional: volume,subject,family; a subject may have several volumes

Without volumes.csv each volume is a subject of its own. An empty family is none.
"""

import csv
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.slices.source import VolumeFile, nifti_files, stem

COLUMNS = ("volume", "subject", "family")


class FolderSource:
    """Volumes of a folder laid out as above. dataset: its name, by default the folder's own.

    normal_only: keep only slices whose mask is empty, which makes normals out of patients.
    """

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
        """All volumes by name. Raises BadInput on a missing or empty folder, stray masks, or a wrong volumes.csv."""
        images, masks = self._images(), self._masks()
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
        if not self.root.is_dir():
            raise BadInput(f"{self.root}: no such folder")
        folder = self.root / "images" if (self.root / "images").is_dir() else self.root
        if images := _by_name(folder):
            return images
        raise BadInput(f"{folder}: holds no .nii or .nii.gz file")

    def _masks(self) -> dict[str, Path] | None:
        folder = self.root / "masks"
        return _by_name(folder) if folder.is_dir() else None

    def _rows(self, names: set[str]) -> dict[str, tuple[str, str | None]]:
        path = self.root / "volumes.csv"
        if not path.exists():
            return {}
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file)
                header = reader.fieldnames or []
                lines = [(reader.line_num, row) for row in reader]
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadInput(f"{path}: not a CSV text file in UTF-8 ({error})") from error
        if "volume" not in header or (unknown := [name for name in header if name not in COLUMNS]):
            wrong = "has no column volume" if "volume" not in header else f"has an unknown column {unknown[0]!r}"
            raise BadInput(f"{path}: {wrong}, expected {', '.join(COLUMNS)}")

        found: dict[str, tuple[str, str | None]] = {}
        for line, row in lines:
            where, name = f"{path}, line {line}", (row["volume"] or "").strip()
            if None in row:
                raise BadInput(f"{where}: has more values than the {len(header)} columns {', '.join(header)}")
            if name not in names:
                raise BadInput(f"{where}: no image belongs to volume {name!r}")
            if name in found:
                raise BadInput(f"{where}: volume {name!r} is listed a second time")
            subject, family = ((row.get(column) or "").strip() for column in ("subject", "family"))
            found[name] = (subject or name, family or None)
        if missing := sorted(names - set(found)):
            raise BadInput(f"{path}: has no line for volume {missing[0]!r}")
        return found


def _by_name(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in nifti_files(folder):
        if stem(path) in found:
            raise BadInput(f"{folder}: both {found[stem(path)].name} and {path.name}, expected one file per volume")
        found[stem(path)] = path
    return found
