"""The probe: fixed by its seed, on held-out subjects, of every family, on tissue."""

import hashlib
import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import BadInput
from core.families import FAMILIES, held_out_families
from core.probe import main
from core.probes import build_probe
from core.slices.layout import TableMetadata
from core.slices.table import SliceTable, write_table
from tests.conftest import volume

DIGESTS = {
    "brush-shift": "048b14f211f64142",
    "circle-scale": "5d15cc22a651506e",
    "square-noise": "6a5782c60c686d75",
    "blob-grey": "b516a8ea6bf4955d",
    "blob-foreign": "dcc0f103add2fb00",
    "ellipse-blur": "62784be5c6311458",
    "ellipse-swell": "2064602a1781b409",
    "foci-grey": "5fd7bc1ca77d6076",
    None: "21d687fa2ecff08e",
}
"""Of the probe below. They change only together with `core.probes._RECIPE`: other pixels are another yardstick."""


@pytest.fixture(scope="module")
def probe(healthy: SliceTable, tmp_path_factory: pytest.TempPathFactory) -> SliceTable:
    return build_probe(healthy, tmp_path_factory.mktemp("probe") / "probe.arrow", per_family=6, clean=8, seed=1)


def test_every_family_is_there_and_clean_slices_are_normal(probe: SliceTable) -> None:
    for name in FAMILIES:
        assert int((probe.family == name).sum()) == 6
    clean = np.array([family is None for family in probe.family])
    assert int(clean.sum()) == 8
    np.testing.assert_array_equal(probe.normal, clean)


@pytest.mark.parametrize("name", DIGESTS)
def test_a_family_keeps_its_pixels_and_masks(probe: SliceTable, name: str | None) -> None:
    rows = np.flatnonzero([family == name for family in probe.family])
    pixels = probe.images(rows).tobytes() + probe.masks(rows).tobytes()
    assert hashlib.sha256(pixels).hexdigest()[:16] == DIGESTS[name]


def test_a_family_like_what_trials_train_on_does_not_count(probe: SliceTable) -> None:
    everything = set(held_out_families(probe))
    assert everything - set(held_out_families(probe, ("shift", "blur"))) == {"ellipse-blur"}
    assert everything - set(held_out_families(probe, ("erase", "warp"))) == {"blob-grey", "foci-grey", "ellipse-swell"}
    assert {name for family in FAMILIES.values() for name in family.like} >= {"noise", "shift", "scale"}
    with pytest.raises(BadInput, match="each of its families is like one of the transforms"):
        held_out_families(probe, ("erase", "warp", "blur", "foreign"))


def test_held_out_families_are_named(probe: SliceTable, healthy: SliceTable) -> None:
    assert set(held_out_families(probe)) == {name for name, family in FAMILIES.items() if family.held_out}
    with pytest.raises(BadInput, match="not a probe"):
        held_out_families(healthy)


def test_the_same_seed_gives_the_same_probe_and_another_does_not(
    probe: SliceTable, healthy: SliceTable, tmp_path: Path
) -> None:
    again = build_probe(healthy, tmp_path / "a.arrow", per_family=6, clean=8, seed=1)
    other = build_probe(healthy, tmp_path / "b.arrow", per_family=6, clean=8, seed=2)
    assert again.digest == probe.digest
    assert other.digest != probe.digest


def test_altered_pixels_lie_on_tissue_and_within_the_held_out_subjects(probe: SliceTable, healthy: SliceTable) -> None:
    assert set(probe.subjects) < set(healthy.subjects)
    masks, images = probe.masks(slice(None)), probe.images(slice(None))
    assert (images[masks > 0] > 0).all()
    assert masks[~probe.normal].any(axis=(1, 2)).all()


def test_unsuitable_tables_are_refused(lesioned: SliceTable, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="carry a lesion mask"):
        build_probe(lesioned, tmp_path / "probe.arrow")
    alone = write_table(tmp_path / "alone.arrow", [volume(0)], TableMetadata())
    with pytest.raises(BadInput, match="at least two subjects"):
        build_probe(alone, tmp_path / "probe.arrow")
    assert not (tmp_path / "probe.arrow").exists()


def test_a_held_out_subject_needs_tissue(tmp_path: Path) -> None:
    empty = (replace(volume(number), images=np.zeros((6, 32, 32), np.uint8)) for number in range(2))
    table = write_table(tmp_path / "empty.arrow", empty, TableMetadata())
    with pytest.raises(BadInput, match=r"empty\.arrow: subject test/healthy-. has no slice with 8% tissue"):
        build_probe(table, tmp_path / "probe.arrow")


def test_the_program_makes_the_probe_that_a_study_makes_for_itself() -> None:
    of_program, of_study = (inspect.signature(made).parameters for made in (main, build_probe))
    for name in ("held_out", "per_family", "clean"):
        assert of_program[name].default == of_study[name].default


def test_the_table_itself_is_not_replaced(healthy: SliceTable) -> None:
    before = healthy.path.read_bytes()
    with pytest.raises(BadInput, match=r"healthy.arrow: is the table that the probe is made from"):
        build_probe(healthy, healthy.path)
    assert healthy.path.read_bytes() == before


def test_no_more_subjects_are_held_out_than_there_are_slices(tmp_path: Path) -> None:
    many = write_table(tmp_path / "many.arrow", (volume(number, slices=2) for number in range(14)), TableMetadata())
    probe = build_probe(many, tmp_path / "probe.arrow", held_out=13, per_family=1, clean=1)
    assert len(probe) == len(probe.subjects) == 1 + len(FAMILIES)


def test_foreign_anatomy_comes_from_another_subject(
    healthy: SliceTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a single subject is held out."""
    drawn = []

    def spy(image: np.ndarray, other: np.ndarray, region: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        drawn.append((image, other))
        return alter(image, other, region, rng)

    alter = FAMILIES["blob-foreign"].alter
    monkeypatch.setitem(FAMILIES, "blob-foreign", FAMILIES["blob-foreign"]._replace(alter=spy))
    build_probe(healthy, tmp_path / "probe.arrow", held_out=1, per_family=3, clean=1)
    assert drawn
    assert not any(np.array_equal(image, other) for image, other in drawn)
