"""Planes, frames, and the exact way back from a slice to the voxels it was made of."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadConfig
from core.slices.files import VolumeFile
from core.slices.geometry import ORDER, Frame, Plane, resized, turned, upright
from core.slices.nifti import Volume
from core.slices.preprocess import Preprocessing, every_slice, preprocess

SHAPES = st.tuples(*[st.integers(9, 60)] * 3)
SPACINGS = st.tuples(*[st.floats(0.4, 5.0)] * 3)
PLANES = st.sampled_from(sorted(ORDER))


def head(shape: tuple[int, int, int]) -> np.ndarray:
    """Noise within an ellipsoid that touches no border."""
    grid = np.meshgrid(*[np.linspace(-1.2, 1.2, size) for size in shape], indexing="ij")
    noise = np.random.default_rng(0).uniform(100, 900, shape)
    return np.where(sum(axis**2 for axis in grid) < 1, noise, 0).astype(np.float32)


def volume(voxels: np.ndarray, spacing: tuple[float, float, float]) -> Volume:
    return Volume(Path("v.nii.gz"), voxels, np.diag([*spacing, 1.0]), "")


@given(SHAPES, SPACINGS, PLANES, st.sampled_from([16, 33, 64]))
@settings(deadline=None, max_examples=60)
def test_a_ramp_comes_back_to_its_voxels(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], plane: Plane, side: int
) -> None:
    """Each voxel's own row and column, drawn as a ramp and brought through slice space, is off by less than a pixel."""
    frame = Frame.of(shape, spacing, plane)
    height, width = frame.size
    rows, columns = (axis.astype(np.float32) for axis in np.mgrid[: frame.rows, : frame.columns])
    for ramp, pixel in ((rows, height / side), (columns, width / side)):
        found = frame.back(resized(np.pad(ramp, _margins(frame), mode="edge"), side, side))
        assert found.shape == ramp.shape
        # A ramp bends at its ends, where linear interpolation has nothing beyond and an area is cut.
        inner = (slice(*_inside(frame.rows, height / side)), slice(*_inside(frame.columns, width / side)))
        error = np.abs(found - ramp)[inner]
        assert not error.size or error.max() < max(0.51 * pixel, 0.51)


def _margins(frame: Frame) -> list[tuple[int, int]]:
    height, width = frame.size
    top, left = (height - frame.rows) // 2, (width - frame.columns) // 2
    return [(top, height - frame.rows - top), (left, width - frame.columns - left)]


def _inside(size: int, pixel: float) -> tuple[int, int]:
    margin = int(np.ceil(2 * max(pixel, 1)))
    return margin, max(size - margin, margin)


@given(SHAPES, SPACINGS, PLANES)
@settings(deadline=None, max_examples=60)
def test_a_marker_comes_back_to_its_place(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], plane: Plane
) -> None:
    """The centroid of a blob that was drawn in a volume, sliced and brought back is off by less than half a voxel."""
    edges = np.array(spacing)
    size = edges * shape
    # Wider than a pixel of the slices and than a voxel, and away from the border: smaller ones cannot be seen.
    radius = max(2.0 * edges.max(), 1.5 * size.max() / 48)
    centre = size * (0.45, 0.52, 0.48)
    grid = np.meshgrid(*[(np.arange(n) + 0.5) * edge for n, edge in zip(shape, spacing, strict=True)], indexing="ij")
    blob = np.exp(-sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True)) / (2 * radius**2))
    blob = np.where(blob > 0.3, blob, 0).astype(np.float32)

    frame = Frame.of(shape, spacing, plane)
    found = np.zeros(shape, np.float32)
    source, target = turned(blob, plane), turned(found, plane)
    for k in range(source.shape[2]):
        slim = resized(frame.pad(upright(source[:, :, k])), 48, 48)
        upright(target[:, :, k])[...] = frame.back(slim)
    for axis in range(3):
        places = np.arange(shape[axis])
        others = tuple({0, 1, 2} - {axis})
        sums = blob.sum(axis=others), found.sum(axis=others)
        middles = [float((one * places).sum() / one.sum()) for one in sums]
        assert abs(middles[0] - middles[1]) < 0.5


@pytest.mark.parametrize(
    ("plane", "box"),
    [("axial", np.s_[3:, 5:, :]), ("coronal", np.s_[3:, :, 5:]), ("sagittal", np.s_[:, 3:, 5:])],
)
def test_right_is_left_and_superior_or_anterior_is_up(plane: Plane, box: tuple[slice, ...]) -> None:
    """Axial and coronal: right is on the left. Sagittal: anterior is. The top is anterior, else superior."""
    voxels = np.ones((6, 6, 6), np.float32)
    voxels[box] = 9
    picture = upright(turned(voxels, plane)[:, :, 2])
    assert (picture[:1, :3] == 9).all()
    assert (picture[1:] == 1).all()
    assert (picture[:, 3:] == 1).all()


@pytest.mark.parametrize("plane", sorted(ORDER))
@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.7, 1.3, 4.0)])
def test_every_slice_holds_those_of_training(plane: Plane, spacing: tuple[float, float, float]) -> None:
    voxels, setting = head((30, 34, 26)), Preprocessing(16, 9, plane=plane)
    images, places = every_slice(volume(voxels, spacing), setting)
    trained = preprocess(VolumeFile("d", "s", "v", Path("v.nii.gz")), volume(voxels, spacing), None, setting)
    assert len(places) > 9
    chosen = np.isin(places, trained.slice_index)
    np.testing.assert_array_equal(images[chosen], trained.images)
    np.testing.assert_array_equal(places[chosen], trained.slice_index)


@pytest.mark.parametrize("plane", sorted(ORDER))
def test_a_plane_is_the_axial_one_of_a_turned_head(plane: Plane) -> None:
    """Image and mask of any plane are those that axial slicing makes of the volume with its axes exchanged."""
    voxels, spacing = head((20, 24, 28)), (1.0, 1.5, 2.0)
    mask = voxels > 700
    file = VolumeFile("d", "s", "v", Path("v.nii.gz"))
    made = preprocess(file, volume(voxels, spacing), mask, Preprocessing(32, 8, plane=plane))
    order = ORDER[plane]
    exchanged = volume(voxels.transpose(order), tuple(spacing[axis] for axis in order))
    expected = preprocess(file, exchanged, mask.transpose(order), Preprocessing(32, 8))
    np.testing.assert_array_equal(made.images, expected.images)
    np.testing.assert_array_equal(made.masks, expected.masks)


def test_one_axis_shrinks_while_the_other_grows() -> None:
    """Voxels four times as long as wide: a ball stays round, and thin columns are averaged, not skipped."""
    frame = Frame(24, 96, (4.0, 1.0))
    assert frame.size == (24, 96)
    stripes = np.tile(np.array([0, 255], np.float32), (24, 48))
    found = resized(stripes, 48, 48)
    assert np.abs(found - 127.5).max() < 1e-3


@pytest.mark.parametrize("height", [12, 24, 48])
@pytest.mark.parametrize("width", [12, 24, 48])
def test_what_grows_is_interpolated_linearly_and_what_shrinks_is_averaged(height: int, width: int) -> None:
    down, across = height / 24, width / 24
    rows, columns = np.mgrid[:24, :24].astype(np.float32)
    at = (np.arange(height) + 0.5) / down - 0.5, (np.arange(width) + 0.5) / across - 0.5
    inner = np.s_[2:-2, 2:-2]  # beyond the outermost pixels there is nothing to interpolate with
    expected = 3 * at[0][:, None] + 5 * at[1]
    np.testing.assert_allclose(resized(3 * rows + 5 * columns, height, width)[inner], expected[inner], rtol=1e-5)
    noise = np.random.default_rng(0).random((24, 24), np.float32)
    small = resized(noise, min(height, 24), min(width, 24))
    blocks = noise.reshape(min(height, 24), max(24 // height, 1), min(width, 24), max(24 // width, 1))
    np.testing.assert_allclose(small, blocks.mean((1, 3)), rtol=1e-5)


def test_a_record_without_a_plane_is_axial() -> None:
    assert Preprocessing(**{"side": 64, "slices": 40, "foreground": "positive"}).plane == "axial"
    with pytest.raises(BadConfig, match="plane = 'oblique', expected axial, coronal, sagittal"):
        Preprocessing(plane="oblique")
