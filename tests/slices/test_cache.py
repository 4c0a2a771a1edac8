"""Fetched once, checked always, fetched again when damaged."""

import multiprocessing
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.errors import BadTable
from core.slices.cache import open_cached
from core.slices.table import SliceTable


def _open(path: Path, digest: str, cache: Path) -> int:
    return len(open_cached(path, digest, cache))


def test_it_is_fetched_once_and_then_the_source_may_go(healthy: SliceTable, tmp_path: Path) -> None:
    source = tmp_path / "source.arrow"
    shutil.copyfile(healthy.path, source)
    first = open_cached(source, healthy.digest, tmp_path / "cache")
    assert first.path.parent == tmp_path / "cache"
    source.unlink()
    again = open_cached(source, healthy.digest, tmp_path / "cache")
    np.testing.assert_array_equal(again.images(slice(None)), healthy.images(slice(None)))


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_copy_is_fetched_again(damage: str, healthy: SliceTable, tmp_path: Path) -> None:
    copy = open_cached(healthy.path, healthy.digest, tmp_path).path
    whole = copy.read_bytes()
    middle = len(whole) // 2
    harm = {"cut": whole[:middle], "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]}
    copy.write_bytes(harm.get(damage, b""))
    found = open_cached(healthy.path, healthy.digest, tmp_path)
    np.testing.assert_array_equal(found.images(slice(None)), healthy.images(slice(None)))
    assert copy.read_bytes() == whole


def test_another_table_is_refused_and_leaves_nothing(healthy: SliceTable, lesioned: SliceTable, tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="digest"):
        open_cached(lesioned.path, healthy.digest, tmp_path)
    assert not list(tmp_path.glob("*.arrow"))


def test_many_processes_share_one_copy(healthy: SliceTable, tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.starmap(_open, [(healthy.path, healthy.digest, tmp_path)] * 8)
    assert found == [len(healthy)] * 8
    assert len(list(tmp_path.glob("*.arrow"))) == 1
    assert not list(tmp_path.glob(".*"))
