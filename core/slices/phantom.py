"""Phantoms: a small set of made-up subjects with known lesions, so that the demo needs no download.

    train/images/healthy-000.nii.gz ...             train/volumes.csv
    test/images/bright-000.nii.gz, free-000.nii.gz  test/volumes.csv
    test/masks/  the same names, uint8 0/1; all 0 for lesion-free subjects

`core.slices.folder` reads both folders. What a detector learns here says little about patients: the anatomy is one
average brain, bent, and the lesions are drawings.
"""

import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from core.durable import replacing, write_json
from core.errors import BadConfig
from core.slices.anatomy import Atlas, acquire, draw_anatomy, load_atlas
from core.slices.lesions import FAMILIES

RECIPE_VERSION = 2  # raise it whenever the same recipe gives other voxels
_COMPLETE = "complete.json"
_COMPRESSION = 1  # level 6 takes three times as long for a tenth of the size


@dataclass(frozen=True)
class PhantomSet:
    """The recipe of a set. Raises BadConfig on a value out of range.

    healthy: subjects for training and the probe. lesioned: test subjects, the families in turn. lesion_free: test
    subjects without a lesion. spacing_mm: edge of the cubic voxels, 1 to 8.
    """

    healthy: int = 24
    lesioned: int = 25
    lesion_free: int = 5
    seed: int = 0
    spacing_mm: float = 2.0

    def __post_init__(self) -> None:
        for name, least in (("healthy", 1), ("lesioned", 0), ("lesion_free", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise BadConfig(f"phantom: {name} = {getattr(self, name)!r}: expected at least {least}")
        if self.lesioned + self.lesion_free < 1:
            raise BadConfig("phantom: lesioned + lesion_free = 0: expected at least one test subject")
        if not 1 <= self.spacing_mm <= 8:
            raise BadConfig(f"phantom: spacing_mm = {self.spacing_mm!r}: expected 1 to 8")

    def digest(self) -> str:
        """64 hexadecimal digits that name the set's content: fields and RECIPE_VERSION."""
        fields = {**asdict(self), "spacing_mm": float(self.spacing_mm), "recipe_version": RECIPE_VERSION}
        return sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class _Subject:
    """role and index seed the subject's own generator: it does not depend on how many others there are."""

    part: str
    name: str
    family: str
    role: int
    index: int


def build_phantoms(
    recipe: PhantomSet,
    root: Path,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the set to a folder of `root` named by its digest and return the folder; a finished set is only returned.

    An interrupted set is continued. Every file is written whole or not at all and has the same bytes whatever the
    number of workers, so two programs may build the same set at once.

    workers: threads, by default one per processor, at most 8; SciPy, NumPy and zlib let go of the interpreter's lock.
    progress: called in this thread with the number of finished subjects and of all.
    """
    folder = Path(root) / recipe.digest()[:12]
    if (folder / _COMPLETE).is_file():
        return folder
    subjects = list(_subjects(recipe))
    missing = [one for one in subjects if not _image_path(folder, one).is_file()]
    if missing:
        atlas = load_atlas(float(recipe.spacing_mm))
        with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
            jobs = [pool.submit(_write_subject, atlas, one, recipe.seed, folder) for one in missing]
            try:
                for done, job in enumerate(as_completed(jobs), len(subjects) - len(missing) + 1):
                    job.result()
                    if progress:
                        progress(done, len(subjects))
            finally:
                pool.shutdown(cancel_futures=True)  # after an error or an interrupt, do not draw the rest
    for part in ("train", "test"):
        _write_table(folder / part / "volumes.csv", [one for one in subjects if one.part == part])
    write_json(folder / _COMPLETE, {**asdict(recipe), "recipe_version": RECIPE_VERSION})
    return folder


def _subjects(recipe: PhantomSet) -> Iterator[_Subject]:
    for index in range(recipe.healthy):
        yield _Subject("train", f"healthy-{index:03}", "", 0, index)
    families = list(FAMILIES)
    for index in range(recipe.lesioned):
        turn, which = divmod(index, len(families))
        yield _Subject("test", f"{families[which]}-{turn:03}", families[which], 1, index)
    for index in range(recipe.lesion_free):
        yield _Subject("test", f"free-{index:03}", "", 2, index)


def _image_path(folder: Path, subject: _Subject) -> Path:
    return folder / subject.part / "images" / f"{subject.name}.nii.gz"


def _write_subject(atlas: Atlas, subject: _Subject, seed: int, folder: Path) -> None:
    rng = np.random.default_rng([seed, subject.role, subject.index])
    anatomy = draw_anatomy(atlas, rng)
    image, mask = anatomy.image, np.zeros_like(anatomy.brain)
    if subject.family:
        image, mask = FAMILIES[subject.family](anatomy, rng)
    scan = acquire(image, anatomy.brain, anatomy.spacing_mm, rng)
    path = _image_path(folder, subject)
    if subject.part == "test":
        _write_nifti(folder / "test" / "masks" / path.name, mask.astype(np.uint8), atlas)
    _write_nifti(path, scan, atlas)  # last: an image that exists has its mask


def _write_nifti(path: Path, voxels: NDArray[np.int16] | NDArray[np.uint8], atlas: Atlas) -> None:
    nifti = nib.Nifti1Image(voxels, atlas.affine)  # type: ignore[no-untyped-call]
    nifti.header.set_xyzt_units("mm")  # type: ignore[no-untyped-call]
    # A time in the gzip header would give other bytes each time.
    packed = gzip.compress(nifti.to_bytes(), _COMPRESSION, mtime=0)
    with replacing(path) as temporary:
        temporary.write_bytes(packed)


def _write_table(path: Path, subjects: list[_Subject]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["volume", "subject", "family"])
    table.writerows([one.name, one.name, one.family] for one in subjects)
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
