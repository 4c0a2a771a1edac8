"""Phantoms: what a set holds, that its subjects do not depend on each other, and that lesions lie where masks say."""

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import BadConfig
from core.slices import phantom
from core.slices.anatomy import Anatomy, acquire, draw_anatomy, load_atlas, smooth_field
from core.slices.folder import FolderSource
from core.slices.lesions import FAMILIES
from core.slices.phantom import PhantomSet, build_phantoms

COARSE = 5.0
SMALL = PhantomSet(healthy=2, lesioned=6, lesion_free=1, spacing_mm=COARSE)


@cache
def subject(seed: int) -> Anatomy:
    return draw_anatomy(load_atlas(COARSE), np.random.default_rng(seed))


def load(path: Path) -> Any:
    return nib.load(path)


def read(path: Path) -> NDArray[Any]:
    return np.asanyarray(load(path).dataobj)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_phantoms(SMALL, tmp_path_factory.mktemp("phantoms"), workers=1)


def test_folder_source_reads_both_parts(built: Path) -> None:
    train, test = FolderSource(built / "train").volumes(), FolderSource(built / "test").volumes()
    assert [one.volume for one in train] == ["healthy-000", "healthy-001"]
    assert all(one.mask is None and one.family is None for one in train)
    assert {one.volume: one.family for one in test} == {
        **{f"{family}-000": family for family in FAMILIES},
        "bright-001": "bright",
        "free-000": None,
    }
    assert not {one.subject for one in train} & {one.subject for one in test}


def test_volumes_look_like_skull_stripped_scans(built: Path) -> None:
    for path in built.rglob("images/*.nii.gz"):
        nifti = load(path)
        scan = read(path)
        assert scan.dtype == np.int16
        np.testing.assert_array_equal(nifti.affine[:3, :3], COARSE * np.eye(3))  # RAS+, cubic
        assert 1.0e6 < (scan > 0).sum() * COARSE**3 < 2.4e6  # mm^3 of brain
        assert scan.min() == 0
        assert all(not face.any() for axis in range(3) for face in np.take(scan, [0, -1], axis))


def test_masks_lie_in_the_brain_and_only_lesion_free_ones_are_empty(built: Path) -> None:
    for path in (built / "test" / "masks").iterdir():
        mask, scan = read(path), read(built / "test" / "images" / path.name)
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 1}
        assert mask.any() == (not path.name.startswith("free"))
        assert not (mask[scan == 0]).any()


def test_subjects_do_not_depend_on_others_or_on_workers(built: Path, tmp_path: Path) -> None:
    larger = PhantomSet(healthy=3, lesioned=8, lesion_free=2, spacing_mm=COARSE)
    more = contents(build_phantoms(larger, tmp_path, workers=3))
    assert {name: more[name] for name in contents(built) if name.endswith(".nii.gz")}.items() <= more.items()
    same = {name for name, data in contents(built).items() if more.get(name) == data}
    assert same == {name for name in contents(built) if name.endswith(".nii.gz")}


def test_finished_set_is_reused(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phantom, "load_atlas", None)
    assert build_phantoms(SMALL, built.parent) == built


def test_interrupted_set_is_continued(built: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 4:
            raise KeyboardInterrupt

    seen: list[tuple[int, int]] = []
    with pytest.raises(KeyboardInterrupt):
        build_phantoms(SMALL, tmp_path, workers=1, progress=stop)
    folder = tmp_path / built.name
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("*.nii.gz")}
    assert kept
    assert not (folder / "complete.json").exists()
    assert build_phantoms(SMALL, tmp_path, workers=2) == folder
    assert contents(folder) == contents(built)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items() if path.parent.name == "images")
    assert seen == [(1, 9), (2, 9), (3, 9), (4, 9)]


@pytest.mark.parametrize(
    ("field", "value"), [("healthy", 0), ("lesioned", -1), ("seed", -1), ("spacing_mm", 0.5), ("spacing_mm", np.nan)]
)
def test_recipe_names_the_wrong_value(field: str, value: float) -> None:
    with pytest.raises(BadConfig, match=f"{field} = {value}"):
        PhantomSet(**{field: value})  # type: ignore[arg-type]


def test_digest_tells_recipes_apart() -> None:
    recipes = [PhantomSet(), PhantomSet(seed=1), PhantomSet(healthy=25), PhantomSet(spacing_mm=3)]
    assert len({one.digest() for one in recipes}) == 4
    assert PhantomSet(spacing_mm=2).digest() == PhantomSet(spacing_mm=2.0).digest()


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_lesions_change_the_image_under_the_mask(family: str, seed: int) -> None:
    anatomy = subject(seed % 3)
    before = anatomy.image.copy()
    image, mask = FAMILIES[family](anatomy, np.random.default_rng(seed))
    np.testing.assert_array_equal(anatomy.image, before)
    assert image.dtype == np.float32
    assert image.shape == mask.shape == before.shape
    assert np.isfinite(image).all()
    assert mask.any()
    assert not mask[~anatomy.brain].any()
    change = np.abs(image - before)
    assert change[mask].mean() > 5 * change[anatomy.brain & ~mask].mean() or change[mask].mean() > 0.02


@pytest.mark.parametrize("family", FAMILIES)
def test_lesions_lie_at_the_middle_heights_that_an_ingest_keeps(family: str) -> None:
    anatomy = subject(0)
    low, high = np.quantile(np.flatnonzero(anatomy.brain.any((0, 1))), (0.25, 0.75)).astype(int)
    for seed in range(25):
        _, mask = FAMILIES[family](anatomy, np.random.default_rng(seed))
        assert mask[:, :, low : high + 1].any(), seed
        if family == "foci":
            assert not mask[:, :, : low - 2].any()
            assert not mask[:, :, high + 3 :].any()
            assert (anatomy.white[mask] > 0.5).mean() > 0.7


def test_bright_is_brighter_and_dark_is_darker_than_the_tissue_was() -> None:
    anatomy = subject(0)
    for family, sign in (("bright", 1), ("foci", 1), ("dark", -1)):
        image, mask = FAMILIES[family](anatomy, np.random.default_rng(5))
        assert sign * (image - anatomy.image)[mask].mean() > 0.03, family


FIGURES = {
    "healthy": (17155, 825.845, 182.819),
    "bright": (1597, 0.76865, 3.98126e-3),
    "dark": (806, 0.27053, 1.20805e-3),
    "foci": (174, 0.76058, 0.80102e-3),
    "swelling": (1126, 0.53531, 1.20268e-3),
    "cortex": (704, 0.77059, 1.09187e-3),
}
"""Voxels of the brain, mean and spread of its scan; of four lesions voxels, signal, and what they change in all."""


def test_other_voxels_need_another_version_of_the_recipe() -> None:
    """Or sets that were made before would be taken for them."""
    anatomy = subject(0)
    scan = acquire(anatomy.image, anatomy.brain, COARSE, np.random.default_rng(0))[anatomy.brain]
    found: dict[str, tuple[float, ...]] = {"healthy": (scan.size, scan.mean(), scan.std())}
    for family, draw in FAMILIES.items():
        drawn = [draw(anatomy, np.random.default_rng(seed)) for seed in range(8, 12)]  # either kind of cortex twice
        image, mask = (np.stack(each) for each in zip(*drawn, strict=True))
        found[family] = (mask.sum(), image[mask].mean(), np.abs(image - anatomy.image).mean())
    assert phantom.RECIPE_VERSION == 2
    assert found == {name: pytest.approx(figures, rel=2e-3) for name, figures in FIGURES.items()}


def test_tissues_share_each_voxel_of_the_brain() -> None:
    anatomy = subject(1)
    total = anatomy.grey + anatomy.white + anatomy.fluid
    np.testing.assert_allclose(total, anatomy.brain, atol=1e-5)
    signal = [anatomy.image[part > 0.8].mean() for part in (anatomy.white, anatomy.grey, anatomy.fluid)]
    assert all(low < high for low, high in pairwise(signal))


def test_acquire_keeps_the_brain_and_nothing_else() -> None:
    anatomy = subject(2)
    scan = acquire(np.zeros_like(anatomy.image), anatomy.brain, COARSE, np.random.default_rng(0))
    np.testing.assert_array_equal(scan > 0, anatomy.brain)


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.integers(1, 40)] * 3), st.floats(1, 8), st.floats(4, 70), st.integers(0, 99))
def test_smooth_field_has_any_shape_and_bounded_spread(
    shape: tuple[int, int, int], spacing_mm: float, scale_mm: float, seed: int
) -> None:
    field = smooth_field(shape, spacing_mm, scale_mm, np.random.default_rng(seed))
    assert field.shape == shape
    assert np.abs(field).max() < 7


def test_smooth_field_has_unit_variance_everywhere() -> None:
    rng = np.random.default_rng(0)
    fields = np.stack([smooth_field((9, 10, 11), 2, 7, rng) for _ in range(600)])
    np.testing.assert_allclose(fields.std(0), 1, atol=0.15)
    np.testing.assert_allclose(fields.mean(0), 0, atol=0.2)
