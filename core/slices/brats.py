"""BraTS patients as released: one folder per patient, or per patient and time since 2023.

    BraTS20_Training_001/BraTS20_Training_001_t2.nii.gz, ..._seg.nii.gz        2018 to 2020, alike BraTS2021_00000
    BraTS-GLI-00000-000/BraTS-GLI-00000-000-t2w.nii.gz, ...-seg.nii.gz         since 2023

Labels 1, 2, 4 (until 2021) or 1, 2, 3 (since 2023) together are the mask: the whole tumour. In the sets of 2024, 4 is a
resection cavity and belongs to the mask too. Two times of one patient are one subject.

Of the 369 training cases of 2020, number 355 has its segmentation under another name, which is accepted. The paper
counts 368; that these are all but 355 is our reading.
Menze et al., IEEE TMI 2015; Bakas et al., Scientific Data 2017.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.slices.choosing import choose
from core.slices.files import VolumeFile, find_nifti, folders_below, nifti_files, require_folder, stem
from core.slices.preprocess import Preprocessing

WHOLE_TUMOUR = (1, 2, 3, 4)
NEWER_NAMES = {"t1": "t1n", "t1ce": "t1c", "t2": "t2w", "flair": "t2f"}
ODD_SEGMENTATIONS = {"BraTS20_Training_355": "W39_1998.09.19_Segm"}
PAPER_CASES = frozenset(f"BraTS20_Training_{n:03}" for n in range(1, 370)) - set(ODD_SEGMENTATIONS)
_TIME = re.compile(r"(BraTS-[A-Za-z]+-\d+)-\d{3}")


class BratsSource:
    """Patients below `root`, at any depth of folders (HGG and LGG, for example), by what their folders hold.

    modality: t1, t1ce, t2 or flair, under either generation's name, or whatever else stands behind the patient's name.
    subjects: only these patients, None for all; exclude: all but these. tumour_free: keep only slices without tumour.
    paper_cases: the 368 cases of 2020 that the paper tests on, all of which must be there.
    """

    preprocessing = Preprocessing(slices=80)

    def __init__(
        self,
        root: Path,
        modality: str = "t2",
        subjects: Collection[str] | None = None,
        *,
        exclude: Collection[str] = (),
        tumour_free: bool = False,
        paper_cases: bool = False,
        dataset: str = "brats",
    ) -> None:
        if paper_cases and (subjects is not None or exclude):
            raise BadInput("the paper's cases are a choice of subjects, and another one was given too")
        self.root = Path(root)
        self.name = dataset
        self.modality = modality
        self.subjects = subjects
        self.exclude = exclude
        self.tumour_free = tumour_free
        self.paper_cases = paper_cases

    def describe(self) -> dict[str, Any]:
        """Kind, modality, the choice of patients, and the kind of normals."""
        patients = {"normals": "tumour-free slices of patients, not of healthy people"} if self.tumour_free else {}
        paper = {"cases": "the 368 of BraTS 2020 other than 355, our reading of the paper"} if self.paper_cases else {}
        return {
            "kind": "brats",
            "dataset": self.name,
            "modality": self.modality,
            "tumour_free": self.tumour_free,
            "subjects": None if self.subjects is None else sorted(self.subjects),
            "excluded": sorted(self.exclude),
            **patients,
            **paper,
        }

    def volumes(self) -> list[VolumeFile]:
        """The chosen patients by name. A patient without the modality or without seg is listed with its fault.

        Raises BadInput on a missing folder, one without patients, a wrong choice, or an incomplete set of the paper.
        """
        folders = self._patients()
        patients = {_subject(name) for name in folders}
        if self.paper_cases:
            if missing := sorted(PAPER_CASES - patients):
                raise BadInput(
                    f"{self.root}: lacks {len(missing)} of the paper's {len(PAPER_CASES)} cases, such as {missing[0]}"
                )
            chosen = set(PAPER_CASES)
        else:
            chosen = set(choose(self.root, patients, self.subjects, self.exclude))
        return [self._volume(name, folder) for name, folder in sorted(folders.items()) if _subject(name) in chosen]

    def _volume(self, name: str, folder: Path) -> VolumeFile:
        # An underscore until 2021; a hyphen and other words since 2023.
        newer = any(path.name.startswith(f"{name}-") for path in nifti_files(folder))
        modality = f"-{NEWER_NAMES.get(self.modality, self.modality)}" if newer else f"_{self.modality}"
        names = [f"{name}{modality}", f"{name}-seg" if newer else f"{name}_seg"]
        image, mask = (find_nifti(folder, one) for one in names)
        note = ""
        if mask is None and name in ODD_SEGMENTATIONS and (mask := find_nifti(folder, ODD_SEGMENTATIONS[name])):
            note = f"its segmentation is {mask.name}, as BraTS 2020 shipped it"
        missing = [f"{one}.nii.gz" for one, path in zip(names, (image, mask), strict=True) if path is None]
        return VolumeFile(
            self.name,
            _subject(name),
            f"{name}_{self.modality}",
            image or folder,
            mask,
            labels=WHOLE_TUMOUR,
            normal_only=self.tumour_free,
            fault=f"has no {' and no '.join(missing)}" if missing else "",
            note=note,
        )

    def _patients(self) -> dict[str, Path]:
        require_folder(self.root)
        folders: dict[str, Path] = {}
        for folder in folders_below(self.root):
            if not any(stem(path).startswith((f"{folder.name}_", f"{folder.name}-")) for path in nifti_files(folder)):
                continue
            if folder.name in folders:
                raise BadInput(f"{folder}: patient {folder.name!r} is also in {folders[folder.name].parent}")
            folders[folder.name] = folder
        if not folders:
            raise BadInput(
                f"{self.root}: holds no patient folder such as BraTS20_Training_001 with its _t2 and _seg files"
            )
        return folders


def _subject(folder: str) -> str:
    found = _TIME.fullmatch(folder)
    return found[1] if found else folder
