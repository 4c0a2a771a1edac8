"""Orientation, geometry and grey levels of the slices."""

from itertools import permutations, product
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform

from core.errors import BadConfig, BadVolume
from core.slices.files import VolumeFile
from core.slices.nifti import Volume, read_mask, read_volume
from core.slices.preprocess import Preprocessing, percentile, preprocess

FILE = VolumeFile("d", "s", "v", Path("v.nii.gz"), family="rim")
CODES = ["".join(c) for p in permutations(["RL", "AP", "SI"]) for c in product(*p)]


def volume(voxels: np.ndarray, spacing: tuple[float, float, float] = (1, 1, 1)) -> Volume:
    return Volume(FILE.image, voxels.astype(np.float32), np.diag([*spacing, 1.0]), "")


def slices(voxels: np.ndarray, mask: np.ndarray | None = None, spacing=(1, 1, 1), **options):
    settings = Preprocessing(**{"side": voxels.shape[0], "slices": voxels.shape[2], **options})
    return preprocess(FILE, volume(voxels, spacing), mask, settings)


def head(side: int = 24, depth: int = 6, seed: int = 0) -> np.ndarray:
    """Noise of 100 to 1000 within an ellipse, 0 around it."""
    rows, columns = np.ogrid[:side, :side]
    inside = ((rows - side / 2) / (side * 0.4)) ** 2 + ((columns - side / 2) / (side * 0.3)) ** 2 < 1
    noise = np.random.default_rng(seed).gamma(2, 150, (side, side, depth)) + 100
    return np.where(inside[:, :, None], noise, 0)


@pytest.mark.parametrize("codes", CODES)
def test_every_storage_order_is_the_same_head(codes: str, tmp_path: Path) -> None:
    """All 48 ways to store a volume read the same, also when the mask is stored in another way than its image."""
    voxels = np.random.default_rng(1).integers(1, 999, (5, 6, 7)).astype(np.int16)
    affine = np.array([[2, 0, 0, -5], [0, 3, 0, 7], [0, 0, 4, 1], [0, 0, 0, 1.0]])
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    stored = nib.Nifti1Image(apply_orientation(voxels, turn), affine @ inv_ornt_aff(turn, voxels.shape))
    nib.save(stored, tmp_path / "i.nii.gz")
    nib.save(nib.Nifti1Image((voxels > 500).astype(np.uint8), affine), tmp_path / "m.nii.gz")
    assert nib.aff2axcodes(stored.affine) == tuple(codes)
    image = read_volume(tmp_path / "i.nii.gz")
    np.testing.assert_array_equal(image.voxels, voxels)
    np.testing.assert_allclose(image.affine, affine)
    np.testing.assert_allclose(image.spacing, (2, 3, 4))
    np.testing.assert_array_equal(read_mask(tmp_path / "m.nii.gz", image)[0], voxels > 500)


def test_anterior_is_up_and_right_is_left() -> None:
    voxels = np.ones((16, 16, 3))
    voxels[:, 12:, :] = 5  # anterior
    voxels[12:, 12:, :] = 9  # anterior, on the patient's right
    picture = slices(voxels, equalise="none", low_percentile=0, high_percentile=100).images[1]
    assert (picture[:4, :4] == 255).all()
    assert (picture[:4, 4:] == 128).all()
    assert (picture[4:] == 1).all()


@pytest.mark.parametrize(("depth", "wanted", "first"), [(10, 4, 5), (10, 10, 2), (11, 4, 5), (5, 1, 4)])
def test_central_slices(depth: int, wanted: int, first: int) -> None:
    voxels = np.zeros((8, 8, 20))
    voxels[2:6, 2:6, 2 : 2 + depth] = np.arange(1, 17).reshape(4, 4, 1)
    assert slices(voxels, slices=wanted).slice_index.tolist() == list(range(first, first + wanted))


def test_a_stray_voxel_is_no_tissue() -> None:
    voxels = np.zeros((32, 32, 20))
    voxels[4:28, 4:28, 8:12] = np.arange(1, 577).reshape(24, 24, 1)
    voxels[0, 0, 1] = 5
    assert slices(voxels, slices=2).slice_index.tolist() == [9, 10]
    with pytest.raises(BadVolume, match=r"v\.nii\.gz: has 4 axial slices with tissue, 5 were asked"):
        slices(voxels, slices=5)


def test_volume_equalisation_is_flat_and_keeps_order() -> None:
    voxels = head(48, 8)
    grey = slices(voxels).images
    inside = grey > 0
    np.testing.assert_array_equal(inside, np.moveaxis(voxels[::-1, ::-1] > 0, (0, 1, 2), (2, 1, 0)))
    counts = np.histogram(grey[inside], bins=8, range=(1, 256))[0]
    assert counts.min() > 0.95 * counts.mean()
    order = np.argsort(np.moveaxis(voxels[::-1, ::-1], (0, 1, 2), (2, 1, 0))[inside])
    assert (np.diff(grey[inside][order].astype(int)) >= 0).all()


def test_slice_equalisation_is_flat_in_each_slice() -> None:
    voxels = head(48, 4) * np.array([1, 2, 3, 4])
    means = [
        [picture[picture > 0].mean() for picture in slices(voxels, equalise=how).images] for how in ("volume", "slice")
    ]
    assert np.ptp(means[0]) > 60
    assert np.ptp(means[1]) < 3


def test_a_saturated_voxel_changes_nothing_else() -> None:
    voxels = head(32)
    bright = voxels.copy()
    bright[16, 16, 2] = 32767
    assert (
        np.abs(slices(voxels, equalise="none").images.astype(int) - slices(bright, equalise="none").images).mean() < 1
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("foreground", ["positive", "otsu"])
@pytest.mark.parametrize("unit", [1e-20, 1.0, 1e30])
def test_the_unit_of_the_grey_levels_does_not_matter(unit: float, foreground: str) -> None:
    found, expected = (slices(head() * by, foreground=foreground).images.astype(int) for by in (unit, 1.0))
    np.testing.assert_allclose(found, expected, atol=1)


@pytest.mark.filterwarnings("error")
def test_grey_levels_that_float32_hardly_tells_apart_are_refused() -> None:
    """As a damaged intensity scaling leaves them."""
    with pytest.raises(BadVolume, match="nearly all of its foreground has the value 1"):
        slices(head() * 1e-42)


def test_negative_noise_is_background() -> None:
    voxels = head(32)
    noisy = np.where(voxels > 0, voxels, -np.random.default_rng(0).random(voxels.shape))
    np.testing.assert_array_equal(slices(voxels).images, slices(noisy).images)


def test_otsu_finds_the_head_in_noise_and_fills_its_holes() -> None:
    voxels = head(48, 6) + 300 * (head(48, 6) > 0)
    truth = voxels > 0
    voxels[20:24, 20:24] = 2  # dark inside
    air = np.random.default_rng(0).rayleigh(8, voxels.shape)
    found = slices(np.where(voxels > 0, voxels, air) - 1000, foreground="otsu").images > 0
    np.testing.assert_array_equal(found, np.moveaxis(truth[::-1, ::-1], (0, 1, 2), (2, 1, 0)))


def test_otsu_keeps_the_largest_object_alone() -> None:
    """Of three bright ones, met first, second and last."""
    voxels = head(48, 6) + 300 * (head(48, 6) > 0)
    alone = slices(voxels, foreground="otsu").images
    voxels[:3, :3, 1:3] = 900
    voxels[-5:, -5:] = 900
    assert (alone > 0).any()
    np.testing.assert_array_equal(slices(voxels, foreground="otsu").images > 0, alone > 0)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.5, 1, 3), (1, 0.5, 1), (1, 0.9, 1)])
def test_squares_are_square_in_millimetres(spacing: tuple[float, float, float]) -> None:
    """A ball stays round and in the middle, whatever the voxels' edges."""
    size = [round(80 / spacing[0]), round(100 / spacing[1]), 5]
    x, y, _ = np.meshgrid(
        *[(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(size, spacing, strict=True)], indexing="ij"
    )
    ball = np.where(x**2 + y**2 < 30**2, 100 + x + y, 0)
    mask = np.hypot(x - 10, y) < 8
    made = slices(ball, mask, spacing, side=64, equalise="none")
    rows, columns = np.nonzero(made.images[2])
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 1
    assert np.ptp(rows) == pytest.approx(60 * 64 / 100, abs=1.5)
    assert (rows.mean(), columns.mean()) == pytest.approx((31.5, 31.5), abs=0.6)
    rows, columns = np.nonzero(made.masks[2])
    assert (rows.mean(), columns.mean()) == pytest.approx((31.5, 31.5 - 6.4), abs=0.7)


@pytest.mark.parametrize("side", [16, 48, 80])
def test_resizing_is_opencv_area_or_linear(side: int) -> None:
    voxels = head(48, 3)
    full = slices(voxels).images.astype(np.float32)
    how = cv2.INTER_LINEAR if side > 48 else cv2.INTER_AREA
    expected = np.stack([cv2.resize(picture, (side, side), interpolation=how) for picture in full])
    assert np.abs(expected - slices(voxels, side=side).images).max() <= 1.01  # levels were rounded twice here


def test_masks_are_binary_and_a_tiny_lesion_is_never_normal() -> None:
    voxels, mask = head(64, 8), np.zeros((64, 64, 8), bool)
    mask[30:40, 30:40, 2] = True
    for k in range(3, 8):
        mask[27 + k, 29 + k, k] = True
    made = slices(voxels, mask, side=16)
    assert made.masks.any(axis=(1, 2)).tolist() == [False, False] + [True] * 6
    assert set(np.unique(made.masks)) == {0, 1}
    assert made.families == [None, None] + ["rim"] * 6
    for k in range(3, 8):
        assert np.argwhere(made.masks[k]).tolist() == [[(63 - 29 - k) // 4, (63 - 27 - k) // 4]]


@pytest.mark.parametrize("side", [16, 48, 80])
def test_a_mask_has_the_voxel_under_the_middle_of_each_pixel(side: int) -> None:
    """So that it is neither moved nor made larger or smaller; in a coarse pattern, other ways differ everywhere."""
    size = 37
    mask = np.random.default_rng(0).random((size, size, 3)) < 0.5
    under = ((np.arange(side) + 0.5) * size / side).astype(int)
    expected = np.stack([mask[::-1, ::-1, k].T[np.ix_(under, under)] for k in range(3)])
    made = slices(head(size, 3), mask, side=side)
    np.testing.assert_array_equal(made.masks, expected)


def test_normal_only_judges_the_voxels() -> None:
    voxels, mask = head(64, 8), np.zeros((64, 64, 8), bool)
    mask[31, 31, 3] = True
    file = VolumeFile("d", "s", "v", FILE.image, normal_only=True)
    made = preprocess(file, volume(voxels), mask, Preprocessing(8, 6))
    assert made.slice_index.tolist() == [1, 2, 4, 5, 6]
    assert made.masks is None
    with pytest.raises(BadVolume, match="has a lesion in each of its 1 central slices"):
        preprocess(file, volume(voxels), mask, Preprocessing(8, 1))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"side": 4}, "side = 4, expected 8 to 1024"),
        ({"slices": -1}, "slices = -1, expected at least 1, or 0 for all"),
        ({"low_percentile": 60, "high_percentile": 40}, "60 and 40, expected 0 <= low < high <= 100"),
        ({"equalise": "all"}, "equalise = 'all', expected volume, slice or none"),
        ({"foreground": "all"}, "foreground = 'all', expected positive or otsu"),
    ],
)
def test_settings_out_of_range(options: dict, sentence: str) -> None:
    with pytest.raises(BadConfig, match=sentence):
        Preprocessing(**options)


def test_a_flat_foreground_is_refused() -> None:
    with pytest.raises(BadVolume, match="nearly all of its foreground has the value 7"):
        slices(np.where(head() > 0, 7, 0))


def test_all_slices_are_those_with_tissue() -> None:
    voxels = np.concatenate([np.zeros((24, 24, 2)), head(depth=5), np.zeros((24, 24, 4))], axis=2)
    np.testing.assert_array_equal(slices(voxels, slices=0).slice_index, [2, 3, 4, 5, 6])
    with pytest.raises(BadVolume, match="has 0 axial slices with tissue"):
        slices(np.zeros((24, 24, 3)), slices=0)


@given(arrays(np.float32, st.integers(1, 300), elements=st.floats(-1e6, 1e6, width=32)), st.floats(0, 100))
def test_percentiles_are_numpys_bit_by_bit(values: np.ndarray, percent: float) -> None:
    assert percentile(np.sort(values), percent) == np.percentile(values, [percent])[0]
