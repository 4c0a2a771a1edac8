"""One scan: the map lies where the scan lies, whatever the file's order, and depends on the scan alone."""

import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from nibabel.orientations import apply_orientation, axcodes2ornt, ornt_transform

from core.errors import BadInput, BadVolume
from core.prediction.scans import predict_scans, scans
from core.prediction.volume import RULES, Prediction, Predictor, predict_volume
from core.slices.geometry import ORDER
from tests.prediction.conftest import BRIGHT, SHAPE, Store, brightness, head


def centroid(weights: np.ndarray) -> np.ndarray:
    places = np.argwhere(weights)
    return np.average(places, axis=0, weights=weights[tuple(places.T)])


@pytest.mark.parametrize("plane", sorted(ORDER))
@pytest.mark.parametrize("codes", ["RAS", "LAS", "PSR", "LPI"])
@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.8, 1.2, 2.5)])
def test_the_map_is_bright_where_the_scan_is(
    plane: str, codes: str, spacing: tuple[float, float, float], store: Store
) -> None:
    path = store("scan.nii.gz", head(), codes, spacing)
    found = predict_volume(path, [brightness(plane, side=64)])
    assert found.map.shape == nib.load(path).shape
    assert found.map.dtype == np.float32
    back = ornt_transform(axcodes2ornt(codes), axcodes2ornt("RAS"))
    canonical = apply_orientation(found.map, back)
    box = np.zeros(SHAPE)
    box[BRIGHT] = 1
    assert np.abs(centroid(np.where(canonical > 0.6, canonical, 0)) - centroid(box)).max() < 0.5
    inner = tuple(slice(part.start + 2, part.stop - 2) for part in BRIGHT)
    assert canonical[inner].min() > 0.85


@pytest.mark.parametrize("codes", ["LAS", "PSR"])
def test_the_same_head_stored_otherwise_has_the_same_map(codes: str, store: Store) -> None:
    one = predict_volume(store("a.nii.gz", head()), [brightness()])
    other = predict_volume(store("b.nii", head(), codes), [brightness()])
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    np.testing.assert_array_equal(apply_orientation(one.map, turn), other.map)
    assert one.volume_score("mean") == other.volume_score("mean")


def test_all_slices_with_tissue_are_scored_and_the_others_are_zero(store: Store) -> None:
    """Not just the eight central ones of the training."""
    found = predict_volume(store("scan.nii.gz", head()), [brightness()])
    tissue = np.flatnonzero(head().any(axis=(0, 1)))
    assert set(found.found[0].index) <= set(tissue)
    assert len(found.found[0].index) > 0.8 * len(tissue)
    scored = np.isin(np.arange(SHAPE[2]), found.found[0].index)
    assert (found.map[:, :, scored] > 0).all()
    assert not found.map[:, :, ~scored].any()


def test_a_scan_alone_and_among_others_is_the_same_bit_by_bit(store: Store, tmp_path: Path) -> None:
    for seed in range(3):
        store(f"s{seed}.nii.gz", head(seed) * (1 + seed))
    (tmp_path / "scans" / "s0b.nii.gz").write_bytes(b"no scan")
    kept: dict[str, Prediction] = {}
    skipped: list[tuple[str, str]] = []
    told: list[tuple[int, int, str]] = []
    predict_scans(scans(tmp_path / "scans"), [brightness()], kept.__setitem__, lambda *said: told.append(said), skipped)
    assert told == [(1, 4, "s0.nii.gz"), (2, 4, "s0b.nii.gz"), (3, 4, "s1.nii.gz"), (4, 4, "s2.nii.gz")]
    assert [name for name, _ in skipped] == ["s0b.nii.gz"]
    assert sorted(kept) == ["s0", "s1", "s2"]
    alone = predict_volume(tmp_path / "scans" / "s1.nii.gz", [brightness()])
    np.testing.assert_array_equal(alone.map, kept["s1"].map)
    for name, scores in alone.found[0].scores.items():
        np.testing.assert_array_equal(scores, kept["s1"].found[0].scores[name])


def test_maps_of_three_planes_are_averaged(store: Store) -> None:
    path = store("scan.nii.gz", head())
    each = [predict_volume(path, [brightness(plane, threshold=place)]) for place, plane in enumerate(sorted(ORDER))]
    together = predict_volume(path, [one.found[0].predictor for one in each])
    np.testing.assert_allclose(together.map, np.mean([one.map for one in each], axis=0), atol=1e-6)
    for rule in RULES:
        assert together.volume_score(rule) == pytest.approx(np.mean([one.volume_score(rule) for one in each]))
    assert together.threshold() == pytest.approx(np.mean([one.threshold() for one in each]))


def test_volume_scores_follow_their_rule(store: Store) -> None:
    found = predict_volume(store("scan.nii.gz", head()), [brightness()])
    ranked = np.sort(found.found[0].scores["top"])[::-1].astype(np.float64)
    assert len(ranked) >= 25
    assert found.volume_score("max_slice") == ranked[0]
    assert found.volume_score("mean") == pytest.approx(ranked.mean())
    assert found.volume_score("top_slices") == pytest.approx(ranked[: round(len(ranked) / 10)].mean())


def test_a_detector_that_answers_nan_is_told(store: Store) -> None:
    usual = brightness()
    broken = Predictor(
        "broken", lambda pixels: pixels * torch.nan, usual.preprocessing, usual.calibration, None, "top", usual.device
    )
    with pytest.raises(BadVolume, match=r"scan\.nii\.gz: the detector broken answers with NaN"):
        predict_volume(store("scan.nii.gz", head()), [broken])


def test_a_scan_of_a_few_stray_voxels_is_not_scored(store: Store) -> None:
    """Averaged over an eighth of the frame they vanish, and nothing is left to tell how rare anything is."""
    voxels = np.zeros((400, 400, 2), np.float32)
    voxels[200, 200], voxels[201, 201] = 5, 7
    path = store("scan.nii.gz", voxels)
    with pytest.raises(BadVolume, match=r"scan\.nii\.gz: has too little tissue to be seen at 8 pixels"):
        predict_volume(path, [brightness(side=8)])


def test_paths_that_are_no_scans(tmp_path: Path, store: Store) -> None:
    with pytest.raises(BadInput, match="no such file or folder"):
        scans(tmp_path / "absent")
    with pytest.raises(BadInput, match=r"holds no \.nii"):
        scans(tmp_path)
    (tmp_path / "note.txt").touch()
    with pytest.raises(BadInput, match=r"expected a \.nii or \.nii\.gz file"):
        scans(tmp_path / "note.txt")
    store("a.nii", head())
    store("a.nii.gz", head())
    with pytest.raises(BadInput, match=r"both a\.nii and a\.nii\.gz"):
        scans(tmp_path / "scans")
    for path in (tmp_path / "scans").iterdir():
        path.write_bytes(b"")
    with pytest.raises(BadInput, match=r"none of 1 scans can be used; the first: .*a\.nii"):
        predict_scans([tmp_path / "scans" / "a.nii"], [brightness()], lambda *_: None, lambda *_: None, [])


@pytest.mark.filterwarnings("ignore:Extension size is not a multiple")
@pytest.mark.parametrize("size", [17, -16, 1 << 20], ids=["odd", "negative", "beyond the voxels"])
def test_a_scan_with_a_damaged_header_extension_harms_no_other(size: int, store: Store, tmp_path: Path) -> None:
    """Its voxels can be read, but a map would have its header."""
    damaged = store("a.nii", head())
    good = damaged.read_bytes()
    extended = bytearray(good[:348] + struct.pack("<4B2i", 1, 0, 0, 0, size, 6) + bytes(8) + good[352:])
    struct.pack_into("<f", extended, 108, 352 + 16)  # where the voxels begin now
    damaged.write_bytes(extended)
    store("b.nii", head())
    kept: dict[str, Prediction] = {}
    skipped: list[tuple[str, str]] = []
    predict_scans(scans(tmp_path / "scans"), [brightness()], kept.__setitem__, lambda *_: None, skipped)
    assert list(kept) == ["b"]
    ((name, reason),) = skipped
    assert name == "a.nii"
    assert reason.startswith(f"{damaged}: its header cannot be read whole")


def test_a_scan_that_does_not_fit_into_memory_harms_no_other(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store("a.nii.gz", head())
    store("b.nii.gz", head())

    def short(path: Path, predictors: list[Predictor]) -> Prediction:
        if path.name == "a.nii.gz":
            raise MemoryError
        return predict_volume(path, predictors)

    monkeypatch.setattr("core.prediction.scans.predict_volume", short)
    kept: dict[str, Prediction] = {}
    skipped: list[tuple[str, str]] = []
    predict_scans(scans(tmp_path / "scans"), [brightness()], kept.__setitem__, lambda *_: None, skipped)
    assert skipped == [("a.nii.gz", f"{tmp_path}/scans/a.nii.gz: does not fit into memory")]
    assert list(kept) == ["b"]
