"""Files that lie where the scan lies: every field of its header that places it, shape, and readable tables."""

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pytest

from core.errors import BadInput
from core.prediction.mosaic import _enlarged, _pair, mosaic
from core.prediction.output import Output
from core.prediction.volume import predict_volume
from core.prediction.writing import write_nifti
from tests.prediction.conftest import SCALE, Store, brightness, head

PLACED = (
    "dim", "pixdim", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y",
    "qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units",
)  # fmt: skip
OBLIQUE = np.array([[-1.9, 0.2, 0, 80], [0.2, 1.9, 0.1, -70], [0, -0.1, 2.5, -40], [0, 0, 0, 1.0]])


def scan(path: Path, kind: type, *, qform: int, sform: int, fourth: bool = False) -> Path:
    """int16 with a slope; sform and qform may differ, as they do after registration."""
    voxels = head()[..., None] if fourth else head()
    image = kind(voxels.astype(np.int16), OBLIQUE)
    image.set_sform(OBLIQUE @ np.diag([1, 1, 1, 1]), sform)
    moved = OBLIQUE.copy()
    moved[:3, 3] += 5
    image.set_qform(moved, qform)
    image.header.set_slope_inter(0.5, -3)
    image.header.set_xyzt_units("mm", "sec")
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"kept"))
    nib.save(image, path)
    return path


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize(("qform", "sform"), [(1, 4), (0, 2), (3, 0)])
@pytest.mark.parametrize("fourth", [False, True])
@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nii"])
def test_what_places_the_scan_places_the_map(
    kind: type, qform: int, sform: int, fourth: bool, name: str, tmp_path: Path
) -> None:
    like = scan(tmp_path / name, kind, qform=qform, sform=sform, fourth=fourth)
    voxels = np.random.default_rng(0).random(head().shape).astype(np.float32)
    write_nifti(tmp_path / "out" / name, like, voxels, "anomaly map")
    given, made = nib.load(like), nib.load(tmp_path / "out" / name)
    assert type(made) is type(given)
    assert made.shape == given.shape
    np.testing.assert_array_equal(made.affine, given.affine)
    for field in PLACED:
        np.testing.assert_array_equal(made.header[field], given.header[field], field)
    assert made.get_data_dtype() == np.float32
    np.testing.assert_array_equal(made.get_fdata(dtype=np.float32), voxels.reshape(given.shape))
    first = (tmp_path / "out" / name).read_bytes()
    write_nifti(tmp_path / "out" / name, like, voxels, "anomaly map")
    assert (tmp_path / "out" / name).read_bytes() == first
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_tables_name_every_scored_slice_and_where_it_lies_in_the_file(store: Store, tmp_path: Path) -> None:
    path = store("scan.nii.gz", head(), "PIL")
    predictors = [brightness(plane, threshold=2.0) for plane in ("axial", "sagittal")]
    output = Output(tmp_path / "out", predictors, "max_slice", mask=True, pictures=True)
    found = predict_volume(path, predictors)
    output.keep("scan", found)
    output.finish([("other.nii", "damaged")], [])

    (volume,) = rows(tmp_path / "out" / "scores.csv")
    assert volume["volume"] == "scan"
    assert float(volume["score"]) == float(volume["max_slice"]) == found.volume_score("max_slice")
    slices = rows(tmp_path / "out" / "slice_scores.csv")
    assert len(slices) == int(volume["slices"]) == sum(len(one.index) for one in found.found)
    stored = np.asarray(nib.load(path).dataobj)
    for row in slices:
        axis, place, canonical = "ijk".index(row["axis_in_file"]), int(row["index_in_file"]), int(row["slice_index"])
        expected = head()[:, :, canonical] if row["plane"] == "axial" else head()[canonical]
        assert sorted(stored.take(place, axis).ravel()) == sorted(expected.ravel())

    mask = np.asarray(nib.load(tmp_path / "out" / "scan_mask.nii.gz").dataobj)
    written = np.asarray(nib.load(tmp_path / "out" / "scan_anomaly.nii.gz").dataobj)
    np.testing.assert_array_equal(written, found.map)
    np.testing.assert_array_equal(mask, found.map >= found.threshold())
    assert mask.sum() == int(volume["voxels_above_threshold"]) > 0
    for name in ("scan_1_axial.png", "scan_2_sagittal.png"):
        assert (tmp_path / "out" / name).read_bytes()[:4] == b"\x89PNG"


def test_a_picture_shows_the_bright_box(store: Store) -> None:
    """Heat appears beside slices that hold the box, and beside no other."""
    found = predict_volume(store("scan.nii.gz", head()), [brightness(threshold=None)]).found[0]
    for n, index in enumerate(found.index.tolist()):
        grey, heat = np.hsplit(_pair(found, n).astype(int), 2)
        assert bool((np.ptp(heat, axis=2) > 40).any()) == (15 <= index < 22)
        assert not np.ptp(grey[:150], axis=2).any()


def test_the_contour_is_the_thresholds_and_the_heat_begins_above_healthy_tissue(store: Store) -> None:
    path = store("scan.nii.gz", head())
    with_contour, without = (predict_volume(path, [brightness(threshold=t)]).found[0] for t in (2.0, None))
    for n, index in enumerate(with_contour.index.tolist()):
        grey, heat = np.hsplit(_pair(without, n)[:170].astype(int), 2)
        drawn = np.abs(np.hsplit(_pair(with_contour, n)[:170].astype(int), 2)[1] - heat).max(2) > 0
        outlined = cv2.dilate((_enlarged(without.values[n])[:170] >= SCALE(2.0)).astype(np.uint8), np.ones((3, 3)))
        assert drawn.any() == (15 <= index < 22)
        assert not drawn[outlined == 0].any()
        values = _enlarged(without.values[n])[:170]
        np.testing.assert_array_equal(heat[values <= 0.16], grey[values <= 0.16])
        assert (np.abs(heat - grey).max(2)[values > 0.3] > 10).all()


def test_a_mosaic_has_sixteen_pairs_from_the_first_slice_to_the_last(store: Store) -> None:
    found = predict_volume(store("scan.nii.gz", head()), [brightness()]).found[0]
    assert len(found.index) > 16
    picture = mosaic(found)
    assert picture.shape == (4 * 192, 4 * 2 * 192, 3)
    pairs = [pair for row in np.vsplit(picture, 4) for pair in np.hsplit(row, 4)]
    np.testing.assert_array_equal(pairs[0], _pair(found, 0))
    np.testing.assert_array_equal(pairs[-1], _pair(found, len(found.index) - 1))
    few = replace(found, index=found.index[:5])
    assert mosaic(few).shape == (2 * 192, 4 * 2 * 192, 3)
    assert not mosaic(few)[192:, 2 * 192 :].any()


def test_masks_and_pictures_are_written_where_they_are_asked_for(store: Store, tmp_path: Path) -> None:
    without = [brightness(), brightness("coronal", threshold=None)]
    with pytest.raises(BadInput, match="coronal: has no threshold for --mask"):
        Output(tmp_path, without, "mean", mask=True, pictures=False)
    output = Output(tmp_path / "out", without, "mean", mask=False, pictures=False)
    output.keep("scan", predict_volume(store("scan.nii.gz", head()), without))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["scan_anomaly.nii.gz"]
