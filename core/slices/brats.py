"""BraTS patients as released: one folder per patient, `<patient>_t2.nii.gz` and `<patient>_seg.nii.gz` in it.

Labels 1, 2, 4 (until 2020) or 1, 2, 3 (since 2023) together are the whole tumour. Patient folders are found by what
they hold, so that the names of every year are known: Brats18_CBICA_ALU_1, BraTS20_Training_001.
Menze et al., IEEE TMI 2015; Bakas et al., Scientific Data 2017.
"""

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.slices.source import VolumeFile, find_nifti, nifti_files, stem

WHOLE_TUMOUR = (1, 2, 3, 4)


class BratsSource:
    """Patients below `root`, at any depth of folders (HGG and LGG, for example).

    modality: t1, t1ce, t2 or flair, or whatever else stands behind the patient's name.
    subjects: only these patients, None for all; exclude: all but these. tumour_free: keep only slices without tumour.
    """

    def __init__(
        self,
        root: Path,
        modality: str = "t2",
        subjects: Collection[str] | None = None,
        *,
        exclude: Collection[str] = (),
        tumour_free: bool = False,
        dataset: str = "brats",
    ) -> None:
        self.root = Path(root)
        self.name = dataset
        self.modality = modality
        self.subjects = subjects
        self.exclude = exclude
        self.tumour_free = tumour_free

    def describe(self) -> dict[str, Any]:
        """Kind, modality, the choice of patients, and the kind of normals."""
        patients = {"normals": "tumour-free slices of patients, not of healthy people"} if self.tumour_free else {}
        return {
            "kind": "brats",
            "dataset": self.name,
            "modality": self.modality,
            "tumour_free": self.tumour_free,
            "subjects": None if self.subjects is None else sorted(self.subjects),
            "excluded": sorted(self.exclude),
            **patients,
        }

    def volumes(self) -> list[VolumeFile]:
        """The chosen patients by name. A patient without the modality or without seg is listed with its fault.

        Raises BadInput on a missing folder, one without patients, an unknown subject, or one both chosen and excluded.
        """
        folders = self._patients()
        known = set(folders)
        for name in [*(self.subjects or ()), *self.exclude]:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise BadInput(f"{self.root}: has no subject {name!r} among its {len(known)}{hint}")
        if both := sorted(set(self.subjects or ()) & set(self.exclude)):
            raise BadInput(f"subject {both[0]!r} is both chosen and excluded")
        chosen = (known if self.subjects is None else set(self.subjects)) - set(self.exclude)
        if not chosen:
            raise BadInput(f"{self.root}: no subject is left of {len(known)}")
        return [self._volume(name, folders[name]) for name in sorted(chosen)]

    def _volume(self, name: str, folder: Path) -> VolumeFile:
        image, mask = find_nifti(folder, f"{name}_{self.modality}"), find_nifti(folder, f"{name}_seg")
        missing = [word for word, path in ((self.modality, image), ("seg", mask)) if path is None]
        fault = f"has no {' and no '.join(f'{name}_{word}.nii.gz' for word in missing)}" if missing else ""
        return VolumeFile(
            self.name,
            name,
            f"{name}_{self.modality}",
            image or folder,
            mask,
            labels=WHOLE_TUMOUR,
            normal_only=self.tumour_free,
            fault=fault,
        )

    def _patients(self) -> dict[str, Path]:
        if not self.root.is_dir():
            raise BadInput(f"{self.root}: no such folder")
        folders: dict[str, Path] = {}
        for folder in sorted(path for path in [self.root, *self.root.rglob("*")] if path.is_dir()):
            if not any(stem(path).startswith(f"{folder.name}_") for path in nifti_files(folder)):
                continue
            if folder.name in folders:
                raise BadInput(f"{folder}: patient {folder.name!r} is also in {folders[folder.name].parent}")
            folders[folder.name] = folder
        if not folders:
            raise BadInput(
                f"{self.root}: holds no patient folder such as BraTS20_Training_001 with its _t2 and _seg files"
            )
        return folders


def subject_list(text: str) -> tuple[str, ...]:
    """Names from `a,b,c`, or from a text file that holds one name a line. Raises BadInput when there is none."""
    path = Path(text)
    try:
        words = path.read_text(encoding="utf-8").splitlines() if path.is_file() else text.split(",")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not a text file with one subject a line") from error
    names = tuple(word.strip() for word in words if word.strip() and not word.strip().startswith("#"))
    if not names:
        raise BadInput(f"{text!r} names no subject, expected a,b,c or a text file with one name a line")
    return names
