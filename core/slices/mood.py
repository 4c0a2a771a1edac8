"""Medical Out-of-Distribution Analysis Challenge: brain MR of 256^3 and abdominal CT of 512^3 voxels in [0, 1].

    root/*.nii.gz                                for training (brain_train, abdom_train): every slice is normal
    root/toy/*.nii.gz                            the four public test cases, with
    root/toy_label/pixel/<name>.nii.gz           their masks and
    root/toy_label/sample/<name>.nii.gz.txt      0 or 1: whether the volume holds anything abnormal

The paper does no preprocessing beyond slicing, so nothing is equalised and grey levels are linear over the volume's
whole range: background 0, then 1 for the least and 255 for the largest value above 0. Which slices it takes it does not
say; here it is the central half, 128 or 256. Like the challenge's own scorer, masks are laid on the image voxel by
voxel, whatever their affine says. Zimmerer et al., IEEE TMI 2022.
"""

from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.slices.files import VolumeFile, nifti_by_name, nifti_files, require_folder
from core.slices.preprocess import Preprocessing

SLICES = {"brain": 128, "abdominal": 256}
TRAINING = {"brain": "brain_train", "abdominal": "abdom_train"}  # the challenge's folders, in brain and abdom


class MoodSource:
    """Training or toy volumes, by what `root` holds. task: brain or abdominal. dataset: by default mood-<task>.

    normal_only: keep only slices whose mask is empty.
    """

    def __init__(
        self, root: Path, task: str = "brain", dataset: str | None = None, *, normal_only: bool = False
    ) -> None:
        if task not in SLICES:
            raise BadInput(f"MOOD task {task!r}: expected {' or '.join(SLICES)}")
        self.root = Path(root)
        self.task = task
        self.name = dataset or f"mood-{task}"
        self.normal_only = normal_only

    @property
    def preprocessing(self) -> Preprocessing:
        """Slicing and resizing alone."""
        return Preprocessing(slices=SLICES[self.task], equalise="none", low_percentile=0, high_percentile=100)

    def describe(self) -> dict[str, Any]:
        """Kind, task, which part, and the kind of normals."""
        part = "toy" if (self.root / "toy").is_dir() else "training"
        toy = {"normals": "slices without an anomaly, of toy volumes"} if self.normal_only and part == "toy" else {}
        return {
            "kind": "mood",
            "dataset": self.name,
            "task": self.task,
            "part": part,
            "normal_only": self.normal_only,
            **toy,
        }

    def volumes(self) -> list[VolumeFile]:
        """All volumes by name. A toy volume whose labels are missing or wrong is listed with its fault.

        Raises BadInput on a missing or empty folder, naming the challenge's training folder where that lies in it or
        beside it, on toy cases apart from their labels, or on a label without a volume.
        """
        if (near := self._nearby()) and not self.root.is_dir():
            raise BadInput(f"{self.root}: no such folder{near}")
        require_folder(self.root)
        if self.root.name == "toy" and (self.root.parent / "toy_label").is_dir():
            raise BadInput(f"{self.root}: its labels lie beside it, in toy_label; did you mean {self.root.parent}?")
        toy = self.root / "toy"
        if not toy.is_dir():
            if not (images := nifti_by_name(self.root)):
                raise BadInput(f"{self.root}: holds neither .nii.gz files, for training, nor the folder toy{near}")
            return [VolumeFile(self.name, name, name, path) for name, path in sorted(images.items())]
        if not (images := nifti_by_name(toy)):
            raise BadInput(f"{toy}: holds no .nii or .nii.gz file")
        pixel, sample = self.root / "toy_label" / "pixel", self.root / "toy_label" / "sample"
        masks = {path.name: path for path in nifti_files(pixel)} if pixel.is_dir() else {}
        labels = {path.name.removesuffix(".txt"): path for path in sorted(sample.glob("[!.]*.txt"))}
        names = {path.name for path in images.values()}
        if stray := sorted({*masks, *labels} - names):
            raise BadInput(f"{self.root / 'toy_label'}: no volume in toy belongs to the label of {stray[0]}")
        return [
            self._toy(name, path, masks.get(path.name), labels.get(path.name)) for name, path in sorted(images.items())
        ]

    def _nearby(self) -> str:
        """The end of a sentence: the training folder below this one or beside it, '' where neither holds volumes."""
        name = TRAINING[self.task]
        places = (self.root, self.root / name.removesuffix("_train"), self.root.parent)
        found = (place / name for place in places if (place / name).is_dir())
        return next((f"; did you mean {folder}?" for folder in found if nifti_files(folder)), "")

    def _toy(self, name: str, image: Path, mask: Path | None, label: Path | None) -> VolumeFile:
        anomalous, fault = None, ""
        if label is not None:
            try:
                word = label.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                word = "no text"
            anomalous = {"0": False, "1": True}.get(word)
            fault = "" if anomalous is not None else f"its label {label.name} holds {word[:20]!r}, expected 0 or 1"
        if mask is None and anomalous is not False and not fault:
            fault = f"has no label toy_label/pixel/{image.name}"
        return VolumeFile(
            self.name,
            name,
            name,
            image,
            mask,
            normal_only=self.normal_only,
            anomalous=anomalous,
            mask_on_grid=True,
            fault=fault,
        )
