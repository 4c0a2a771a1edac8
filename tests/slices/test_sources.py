"""The contract that every source signs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import BadInput
from core.slices.bids import BidsSource
from core.slices.brats import BratsSource
from core.slices.choosing import Group
from core.slices.folder import FolderSource
from core.slices.hcp import HcpSource
from core.slices.ingesting import ingest
from core.slices.manifest import ManifestSource
from core.slices.mood import MoodSource
from core.slices.source import Source
from tests.slices.trees import (
    SMALL,
    make_bids,
    make_brats,
    make_flat,
    make_folder,
    make_hcp,
    make_manifest,
    make_mood,
    make_newer_brats,
    make_unmasked_manifest,
    write,
)

SOURCES = {
    "folder": (make_folder, lambda root: FolderSource(root, "made")),
    "folder, normals": (make_folder, lambda root: FolderSource(root, "made", normal_only=True)),
    "brats": (make_brats, BratsSource),
    "brats, normals": (make_brats, lambda root: BratsSource(root, "flair", tumour_free=True)),
    "brats since 2023": (make_newer_brats, BratsSource),
    "hcp, healthy": (make_hcp, HcpSource),
    "hcp, healthy, unprocessed": (make_hcp, lambda root: HcpSource(root, "unprocessed")),
    "mood": (make_mood, MoodSource),
    "mood, normals": (make_mood, lambda root: MoodSource(root, normal_only=True)),
    "mood, healthy": (make_flat, lambda root: MoodSource(root, "abdominal")),
    "bids": (make_bids, lambda root: BidsSource(root, group=Group.parse("patient"), masks="lesions", dataset="b")),
    "bids, healthy": (make_bids, lambda root: BidsSource(root, group=Group.parse("control"), dataset="b")),
    "manifest": (make_manifest, lambda root: ManifestSource(root / "volumes.csv")),
    "manifest, normals": (make_manifest, lambda root: ManifestSource(root / "volumes.csv", normal_only=True)),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_contract(kind: str, tmp_path: Path) -> None:
    make, of = SOURCES[kind]
    here, moved = tmp_path / "here", tmp_path / "moved"
    make(here)
    source: Source = of(here)
    volumes = source.volumes()
    assert volumes == sorted(volumes, key=lambda file: file.volume) == source.volumes()
    assert len({file.volume for file in volumes}) == len(volumes) >= 3
    assert all(file.dataset == source.name and file.image.is_file() and not file.fault for file in volumes)
    described = source.describe()
    assert str(tmp_path) not in json.dumps(described)

    first = ingest(source, tmp_path / "a.arrow", SMALL, workers=1)
    here.rename(moved)
    seen: list[tuple[int, int, str]] = []
    again = ingest(of(moved), tmp_path / "b.arrow", SMALL, workers=4, progress=lambda *told: seen.append(told))
    assert first.table.digest == again.table.digest
    assert (tmp_path / "a.arrow").read_bytes() == (tmp_path / "b.arrow").read_bytes()
    assert seen == [(n + 1, len(volumes), file.volume) for n, file in enumerate(volumes)]
    assert (again.used, again.skipped, again.found) == (len(volumes), (), len(volumes))
    assert again.table.metadata.source == described
    assert len(again.table.metadata.source_digest) == 64
    assert source.preprocessing.side == 128
    if "healthy" in kind:
        assert again.table.normal.all()
        assert len(again.table) == 6 * len(volumes)
        assert "normals" not in described
    elif "normals" in kind:
        assert again.table.normal.all()
        assert "slices" in again.table.metadata.source["normals"]
        assert again.table.slice_index[:3].tolist() == [2, 3, 4]
    else:
        assert not again.table.normal.all()


def test_source_digest_follows_content(tmp_path: Path) -> None:
    make_folder(tmp_path / "d")
    before = ingest(FolderSource(tmp_path / "d"), tmp_path / "a.arrow", SMALL).table.metadata.source_digest
    write(tmp_path / "d" / "images" / "s3.nii.gz", 99)
    assert ingest(FolderSource(tmp_path / "d"), tmp_path / "a.arrow", SMALL).table.metadata.source_digest != before


def test_dataset_without_slash(tmp_path: Path) -> None:
    make_folder(tmp_path / "d")
    with pytest.raises(BadInput, match="dataset name 'a/b': expected a printable name without a slash"):
        ingest(FolderSource(tmp_path / "d", "a/b"), tmp_path / "a.arrow", SMALL)


@pytest.mark.parametrize(
    ("make", "of", "sentence"),
    [
        (make_flat, lambda root: FolderSource(root, normal_only=True), "d: has no folder masks"),
        (make_bids, lambda root: BidsSource(root, normal_only=True), "d: without --masks"),
        (
            make_unmasked_manifest,
            lambda root: ManifestSource(root / "volumes.csv", normal_only=True),
            r"d/volumes\.csv: has no column 'mask'",
        ),
    ],
)
def test_normals_are_not_chosen_without_masks(
    make: Callable[[Path], None], of: Callable[[Path], Source], sentence: str, tmp_path: Path
) -> None:
    """Every slice, lesions included, would be taken for one without a lesion."""
    make(tmp_path / "d")
    with pytest.raises(BadInput, match=f"{sentence}, .*--tumour-free cannot tell which slices have lesions"):
        of(tmp_path / "d").volumes()


def test_training_volumes_are_not_told_as_toy_ones(tmp_path: Path) -> None:
    make_flat(tmp_path)
    assert "normals" not in MoodSource(tmp_path, normal_only=True).describe()


@pytest.mark.parametrize("kind", SOURCES)
def test_what_is_not_there(kind: str, tmp_path: Path) -> None:
    """Neither a missing folder nor one without such volumes is taken for an empty source."""
    of = SOURCES[kind][1]
    for make in (lambda: None, tmp_path.joinpath("d").mkdir):
        make()
        with pytest.raises(BadInput, match=r"d(/volumes\.csv)?: (no such|holds n)"):
            of(tmp_path / "d").volumes()


@pytest.mark.parametrize("kind", SOURCES)
def test_links_in_circles(kind: str, tmp_path: Path) -> None:
    make, of = SOURCES[kind]
    make(tmp_path / "d")
    before = of(tmp_path / "d").volumes()
    (tmp_path / "d" / "around").symlink_to(tmp_path / "d", target_is_directory=True)
    (tmp_path / "d" / "self").symlink_to("self")
    (tmp_path / "d" / "everything").symlink_to("/", target_is_directory=True)
    assert of(tmp_path / "d").volumes() == before
