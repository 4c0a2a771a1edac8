"""A manifest: a CSV, TSV or Parquet table that names each volume, for data in any other layout.

    image      path of a NIfTI file; relative ones begin at the manifest's own folder
    subject    whose it is; volumes of one subject never meet in different roles
    mask       optional; where it is empty, every slice of the volume is known to be normal
    volume     optional name in reports, by default the image's own, behind the subject's where that is not in it
    dataset    optional, by default the manifest's name; family: optional, of the lesion

Other columns serve to choose (group=control, sex=F) and are otherwise left alone.
"""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.slices.choosing import Group
from core.slices.files import VolumeFile, is_nifti, stem
from core.slices.preprocess import Preprocessing
from core.slices.rows import Rows, read_rows

NEEDED = ("image", "subject")
OPTIONAL = ("mask", "volume", "dataset", "family")


class ManifestSource:
    """Volumes of a manifest. group: only the rows of this group. normal_only: keep only slices whose mask is empty."""

    preprocessing = Preprocessing()

    def __init__(
        self, path: Path, dataset: str | None = None, *, group: Group | None = None, normal_only: bool = False
    ) -> None:
        self.path = Path(path)
        self.name = dataset or self.path.stem
        self.group = group
        self.normal_only = normal_only

    def describe(self) -> dict[str, Any]:
        """Kind, group, and the kind of normals."""
        patients = {"normals": "slices without a lesion, of patients"} if self.normal_only else {}
        return {
            "kind": "manifest",
            "dataset": self.name,
            "group": None if self.group is None else str(self.group),
            "normal_only": self.normal_only,
            **patients,
        }

    def volumes(self) -> list[VolumeFile]:
        """All volumes by name. A row whose image or mask does not exist is listed with its line as its fault.

        Raises BadInput on a missing or wrong manifest, two rows with the same image or the same name, or
        no column of masks to choose normals by.
        """
        rows = read_rows(self.path)
        for name in NEEDED:
            if name not in rows.columns:
                raise BadInput(f"{self.path}: has no column {name!r}, expected {', '.join(NEEDED + OPTIONAL)}")
        for name in rows.columns:
            if name not in NEEDED + OPTIONAL and (near := get_close_matches(name.lower(), NEEDED + OPTIONAL, 1, 0.85)):
                raise BadInput(f"{self.path}: has a column {name!r}; did you mean {near[0]!r}?")
        if self.normal_only and "mask" not in rows.columns:
            raise BadInput(f"{self.path}: has no column 'mask', so --tumour-free cannot tell which slices have lesions")
        if self.group is not None:
            rows = self.group.of(rows)
        if not rows.lines:
            raise BadInput(f"{self.path}: names no volume")
        images: dict[str, int] = {}
        names: dict[str, int] = {}
        found = []
        for line, row in rows.lines:
            file = self._volume(rows, line, row)
            for what, key, seen in (("image", str(file.image), images), ("volume", file.volume, names)):
                if key in seen:
                    shown = row["image"] if what == "image" else key
                    raise BadInput(f"{rows.where(line)}: {what} {shown!r} is there already, in {rows.unit} {seen[key]}")
                seen[key] = line
            found.append(file)
        return sorted(found, key=lambda file: file.volume)

    def _volume(self, rows: Rows, line: int, row: dict[str, str]) -> VolumeFile:
        for name in NEEDED:
            if not row[name]:
                raise BadInput(f"{rows.where(line)}: has no {name}")
        dataset, subject = row.get("dataset") or self.name, row["subject"]
        if "/" in dataset:
            raise BadInput(f"{rows.where(line)}: dataset {dataset!r}, expected a name without a slash")
        image = self._path(row["image"])
        mask = self._path(row["mask"]) if row.get("mask") else None
        own = stem(image) if subject in stem(image) else f"{subject}_{stem(image)}"
        fault = ""
        for what, path in (("image", image), ("mask", mask)):
            if path is not None and not fault:
                fault = _wrong(path)
                fault = f"{rows.where(line)}: {what} {path.name!r} {fault}" if fault else ""
        return VolumeFile(
            dataset,
            subject,
            row.get("volume") or own,
            image,
            mask,
            row.get("family") or None,
            normal_only=self.normal_only,
            fault=fault.replace(str(self.path), self.path.name),
        )

    def _path(self, text: str) -> Path:
        # Without `..` and `.`, so that one file has one name; links are left, since their names may be the better ones.
        return Path(os.path.normpath(self.path.parent.resolve() / text))


def _wrong(path: Path) -> str:
    if not is_nifti(path):
        return "is not a .nii or .nii.gz file"
    return "" if path.is_file() else "does not exist"
