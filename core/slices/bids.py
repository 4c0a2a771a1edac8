"""A BIDS data set: the images of one suffix, and lesion masks of one pipeline.

    root/sub-*/[ses-*/]anat/*_T2w.nii.gz                            the suffix is chosen; runs are volumes of their own
    root/derivatives/<pipeline>/sub-*/[ses-*/]anat/*_mask.nii.gz    or *_roi.nii.gz: the masks, if a pipeline is chosen
    root/participants.tsv                                           participant_id and, say, group: for a choice

Without a pipeline every slice counts as normal; a subject that has a lesion mask somewhere is left out then, with this
reason. Among several masks, those that name a lesion (label-lesion, desc-lesion) go before others; masks of the brain
(desc-brain, label-brain) never count.
"""

from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.slices.choosing import Group
from core.slices.files import VolumeFile, nifti_by_name, require_folder, stem, subfolders
from core.slices.preprocess import Preprocessing
from core.slices.rows import read_rows

_MASKS = ("mask", "roi")
_ABOUT_MASKS = {"space", "res", "den", "label", "desc", "hemi"}  # entities that say nothing of which scan it was


class BidsSource:
    """Subjects `sub-*` of `root`. suffix: T2w, T1w, FLAIR and so on. masks: a folder of `derivatives`, or None.

    group: only subjects of this group in participants.tsv. dataset: by default the folder's name. normal_only: keep
    only slices whose mask is empty.
    """

    def __init__(
        self,
        root: Path,
        suffix: str = "T2w",
        *,
        group: Group | None = None,
        masks: str | None = None,
        dataset: str | None = None,
        normal_only: bool = False,
    ) -> None:
        if not suffix.isalnum():
            raise BadInput(f"BIDS suffix {suffix!r}: expected a word such as T2w")
        self.root = Path(root)
        self.name = dataset or self.root.resolve().name
        self.suffix = suffix
        self.group = group
        self.masks = masks
        self.normal_only = normal_only

    @property
    def preprocessing(self) -> Preprocessing:
        """BIDS keeps heads as scanned: with skull, and with noise around them."""
        return Preprocessing(foreground="otsu")

    def describe(self) -> dict[str, Any]:
        """Kind, suffix, group, pipeline, and the kind of normals."""
        patients = {"normals": "slices without a lesion, of patients"} if self.normal_only else {}
        return {
            "kind": "bids",
            "dataset": self.name,
            "suffix": self.suffix,
            "group": None if self.group is None else str(self.group),
            "masks": self.masks,
            "normal_only": self.normal_only,
            **patients,
        }

    def volumes(self) -> list[VolumeFile]:
        """All volumes by name. A subject without the suffix, or a volume without its mask, is listed with its fault.

        Raises BadInput when there is no subject, no such pipeline, no such group, or no masks to choose normals by.
        """
        require_folder(self.root)
        subjects = {folder.name: folder for folder in subfolders(self.root, "sub-*")}
        if not subjects:
            raise BadInput(f"{self.root}: holds no BIDS subject, such as sub-01/anat/sub-01_{self.suffix}.nii.gz")
        if self.normal_only and self.masks is None:
            raise BadInput(f"{self.root}: without --masks, --tumour-free cannot tell which slices have lesions")
        pipelines = subfolders(self.root / "derivatives")
        if self.masks is not None and self.masks not in {folder.name for folder in pipelines}:
            known = ", ".join(folder.name for folder in pipelines) or "nothing"
            raise BadInput(f"{self.root / 'derivatives'}: has no pipeline {self.masks!r}, only {known}")
        chosen = self._in_group(subjects)
        found = [file for name in chosen for file in self._subject(subjects[name], pipelines)]
        return sorted(found, key=lambda file: file.volume)

    def _in_group(self, subjects: dict[str, Path]) -> list[str]:
        if self.group is None:
            return sorted(subjects)
        rows = read_rows(self.root / "participants.tsv")
        if "participant_id" not in rows.columns:
            raise BadInput(f"{rows.path}: has no column 'participant_id'")
        named = {"sub-" + row["participant_id"].removeprefix("sub-") for _, row in self.group.of(rows).lines}
        if not (chosen := sorted(named & set(subjects))):
            raise BadInput(f"{self.root}: none of the {len(named)} participants with {self.group} has a folder")
        return chosen

    def _subject(self, subject: Path, pipelines: list[Path]) -> list[VolumeFile]:
        scans = [path for folder in _anat(subject) for path in _with_suffix(folder, self.suffix)]
        if not scans:
            fault = f"has no anat/*_{self.suffix}.nii.gz"
            return [VolumeFile(self.name, subject.name, f"{subject.name}_{self.suffix}", subject, fault=fault)]
        fault = self._why_not_normal(subject.name, pipelines) if self.masks is None else ""
        return [self._volume(subject, path, fault) for path in scans]

    def _why_not_normal(self, subject: str, pipelines: list[Path]) -> str:
        """Why a subject does not count as normal; empty where nothing speaks against it."""
        for folder in pipelines:
            masks = (path for anat in _anat(folder / subject) for path in _with_suffix(anat, *_MASKS))
            if any(_of_lesion(path) for path in masks):
                return f"its subject has a lesion mask in derivatives/{folder.name}, so that it is no normal volume"
        return ""

    def _volume(self, subject: Path, image: Path, fault: str) -> VolumeFile:
        mask = None
        if self.masks is not None:
            found = _masks(self.root / "derivatives" / self.masks / image.parent.relative_to(self.root), image)
            found = [path for path in found if _of_lesion(path)] or found
            mask = found[0] if len(found) == 1 else None
            if not found:
                fault = f"has no mask in derivatives/{self.masks}"
            elif mask is None:
                fault = f"has {len(found)} masks in derivatives/{self.masks}, expected one"
        return VolumeFile(self.name, subject.name, stem(image), image, mask, normal_only=self.normal_only, fault=fault)


def _anat(subject: Path) -> list[Path]:
    folders = [subject / "anat", *(session / "anat" for session in subfolders(subject, "ses-*"))]
    return [folder for folder in folders if folder.is_dir()]


def _with_suffix(folder: Path, *suffixes: str) -> list[Path]:
    return [path for name, path in nifti_by_name(folder).items() if name.rpartition("_")[2] in suffixes]


def _entities(path: Path) -> dict[str, str]:
    """Those of `sub-01_ses-2_run-1_T2w.nii.gz`: {sub: 01, ses: 2, run: 1}."""
    return {key: value for key, dash, value in (part.partition("-") for part in stem(path).split("_")) if dash}


def _masks(folder: Path, image: Path) -> list[Path]:
    """Masks that may belong to this image: it has all entities that they name, save those about masks."""
    if not folder.is_dir():
        return []
    scan = _entities(image)
    found = []
    for path in _with_suffix(folder, *_MASKS):
        named = _entities(path)
        if "brain" in (named.get("label"), named.get("desc")):
            continue
        if all(scan.get(key) == value for key, value in named.items() if key not in _ABOUT_MASKS):
            found.append(path)
    return found


def _of_lesion(path: Path) -> bool:
    named = _entities(path)
    return "lesion" in (named.get("label", "") + named.get("desc", "")).lower()
