"""Real patients, where the folder STUDY_TEST_DATA has them; nothing of it is copied into the project."""

import os
from pathlib import Path

import numpy as np
import pytest

from core.errors import BadVolume
from core.slices.brats import BratsSource
from core.slices.folder import FolderSource
from core.slices.ingesting import ingest
from core.slices.preprocess import Preprocessing
from core.slices.table import SliceTable

DATA = Path(os.environ.get("STUDY_TEST_DATA", ""))
pytestmark = pytest.mark.skipif(
    "STUDY_TEST_DATA" not in os.environ, reason="STUDY_TEST_DATA names no folder of real images"
)

SMALL = Preprocessing(side=64, slices=80)
PATIENTS = ("Brats18_2013_11_1", "Brats18_TCIA10_637_1")  # the second holds saturated voxels of 32767


@pytest.fixture(scope="module")
def brats(tmp_path_factory: pytest.TempPathFactory) -> SliceTable:
    out = tmp_path_factory.mktemp("brats") / "t.arrow"
    return ingest(BratsSource(DATA / "brats2018", subjects=PATIENTS), out, SMALL).table


def middle(picture: np.ndarray) -> np.ndarray:
    return np.argwhere(picture).mean(axis=0)


def test_brats_patients(brats: SliceTable) -> None:
    assert brats.subjects == tuple(f"brats/{name}" for name in PATIENTS)
    assert len(brats) == 160
    images, masks = brats.images(slice(None)), brats.masks(slice(None)) > 0
    assert 0.15 < brats.foreground.mean() < 0.4
    counts = np.histogram(images[images > 0], bins=5, range=(1, 256))[0]
    assert counts.min() > 0.7 * counts.mean()  # equalised, also where a few voxels are saturated
    assert np.mean(images[masks] > 0) > 0.99
    for subject in brats.subjects:
        own = brats.rows_of([subject])
        lesion, tissue = images[own][masks[own]], images[own][~masks[own] & (images[own] > 0)]
        assert np.median(lesion) > np.median(tissue) + 40  # a tumour is bright in T2


def test_brats_heads_are_upright(brats: SliceTable) -> None:
    """The cerebellum is posterior: in the lowest slices, the tissue lies below the middle; all heads are centred."""
    for subject in brats.subjects:
        pictures = brats.images(brats.rows_of([subject])) > 0
        assert np.mean([middle(picture)[0] for picture in pictures[:3]]) > 36
        assert abs(middle(pictures[40])[1] - 31.5) < 4
        assert np.ptp(np.nonzero(pictures[40])[0]) > np.ptp(np.nonzero(pictures[40])[1])  # a head is longer than wide


def test_tumour_free_slices_are_those_without_a_mask(brats: SliceTable, tmp_path: Path) -> None:
    source = BratsSource(DATA / "brats2018", subjects=PATIENTS, tumour_free=True)
    free = ingest(source, tmp_path / "t.arrow", SMALL).table
    assert free.normal.all()
    assert free.metadata.source["normals"] == "tumour-free slices of patients, not of healthy people"
    assert list(zip(free.subject, free.slice_index, strict=True)) == [
        (subject, index)
        for subject, index, normal in zip(brats.subject, brats.slice_index, brats.normal, strict=True)
        if normal
    ]


def test_ms_lesions_lie_on_bright_spots(tmp_path: Path) -> None:
    """Stored as LAS float32 with small negatives. Moved or mirrored masks would not lie on brighter tissue."""
    for kind, pattern in (("images", "T2*"), ("masks", "GOLD*")):
        (tmp_path / kind).mkdir()
        link = tmp_path / kind / "patient19.nii.gz"
        link.symlink_to(next((DATA / "ms_lesjak" / "patient19").glob(pattern)))
    table = ingest(FolderSource(tmp_path, "ms"), tmp_path / "t.arrow", Preprocessing(side=128, slices=90)).table
    images, masks = table.images(slice(None)), table.masks(slice(None)) > 0
    at_lesions = np.median(images[masks])
    assert at_lesions > 180
    for moved in (masks[:, :, ::-1], masks[:, ::-1], np.roll(masks, 6, axis=1), np.roll(masks, 6, axis=0)):
        assert np.median(images[moved & (images > 0)]) < at_lesions - 30


def test_heads_with_skull_and_ct(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    head = min((DATA / "ixi_t1" / "t1").iterdir())
    for path in (head, DATA / "ct" / "example_ct_sm.nii.gz"):
        (tmp_path / "images" / path.name).symlink_to(path)
    settings = Preprocessing(side=64, slices=30, foreground="otsu")
    report = ingest(FolderSource(tmp_path, "d"), tmp_path / "t.arrow", settings)
    assert report.skipped == ()
    assert 0.25 < report.table.foreground.min() < report.table.foreground.max() < 0.8
    pictures = report.table.images(slice(None))
    assert not pictures[:, [0, 0, -1, -1], [0, -1, 0, -1]].any()  # air is background, not noise


def test_two_slices_too_many(tmp_path: Path) -> None:
    source = BratsSource(DATA / "brats2018", subjects=PATIENTS[:1])
    with pytest.raises(Exception, match="axial slices with tissue, 150 were asked") as refused:
        ingest(source, tmp_path / "t.arrow", Preprocessing(side=64, slices=150))
    assert not isinstance(refused.value, BadVolume)
