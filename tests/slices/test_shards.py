"""A table in several files is the table that it would be in one."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from core.errors import BadTable
from core.slices.cache import open_cached
from core.slices.layout import TableMetadata, batch_digest, to_batch
from core.slices.shards import shard_folder, write_batches
from core.slices.table import SliceTable, open_table
from tests.conftest import volume

BATCHES = [to_batch(volume(number, lesion=number == 2)) for number in range(5)]
TOLD = [(batch, batch_digest(batch)) for batch in BATCHES]
WHOLE = TableMetadata(source_digest="a")


def _written(path: Path, limit: int) -> SliceTable:
    write_batches(path, TOLD, WHOLE, limit=limit)
    return open_table(path, verify=True)


@pytest.mark.parametrize(("limit", "shards"), [(1, 4), (40_000, 1), (1 << 30, 0)])
def test_however_it_is_divided_it_holds_the_same(limit: int, shards: int, tmp_path: Path) -> None:
    one, divided = _written(tmp_path / "one.arrow", 1 << 30), _written(tmp_path / "divided.arrow", limit)
    folder = shard_folder(divided.path)
    assert (len(list(folder.iterdir())) if folder.exists() else 0) == shards
    assert divided.digest == one.digest
    rows = np.array([29, 3, 17, 3])
    assert np.array_equal(divided.images(rows), one.images(rows))
    assert np.array_equal(divided.masks(rows), one.masks(rows))
    assert np.array_equal(divided.subject, one.subject)
    assert len(divided.image_views()) == 5


def test_writing_anew_leaves_no_shard_behind(tmp_path: Path) -> None:
    table = _written(tmp_path / "slices.arrow", 1)
    first = set(shard_folder(table.path).iterdir())
    write_batches(table.path, TOLD[::-1], WHOLE, limit=1)
    assert len(set(shard_folder(table.path).iterdir()) - first) == 1
    assert len(list(shard_folder(table.path).iterdir())) == 4
    open_table(table.path, verify=True)
    _written(table.path, 1 << 30)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slices.arrow"]


def test_tables_of_like_names_keep_their_shards(tmp_path: Path) -> None:
    """A size is not the ending of a name."""
    large, small = ("slices.arrow", "slices", "slices.128"), "slices.64"
    tables = [_written(tmp_path / name, 1) for name in large]
    _written(tmp_path / small, 1 << 30)
    for table in tables:
        open_table(table.path, digest=table.digest, verify=True)
        _written(table.path, 1 << 30)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*large, small])


def test_an_interruption_leaves_the_table_before(tmp_path: Path) -> None:
    before = _written(tmp_path / "slices.arrow", 1)
    files = sorted(tmp_path.rglob("*"))

    def stopping():  # type: ignore[no-untyped-def]
        yield from TOLD[:3][::-1]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_batches(before.path, stopping(), WHOLE, limit=1)
    assert sorted(tmp_path.rglob("*")) == files
    assert open_table(before.path, verify=True).digest == before.digest


def test_a_shard_that_is_missing_or_another_is_named(tmp_path: Path) -> None:
    table = _written(tmp_path / "slices.arrow", 1)
    first, second, *_ = sorted(shard_folder(table.path).iterdir())
    shutil.copyfile(first, second)
    with pytest.raises(BadTable, match=f"has digest .* expected {table.digest}"):
        open_table(table.path, digest=table.digest)
    second.unlink()
    with pytest.raises(BadTable, match=rf"lacks .*{second.name}; a table moves together with its folder slices.shards"):
        open_table(table.path)


def test_a_list_of_shards_that_points_elsewhere_is_refused(tmp_path: Path) -> None:
    table = _written(tmp_path / "slices.arrow", 1)
    name = min(path.name for path in shard_folder(table.path).iterdir())
    content = table.path.read_bytes()
    assert name.encode() in content
    table.path.write_bytes(content.replace(name.encode(), b"../" + name[3:].encode()))
    with pytest.raises(BadTable, match="its list of shards cannot be read"):
        open_table(table.path)


def test_a_nodes_copy_has_every_shard_and_is_mended(tmp_path: Path) -> None:
    table = _written(tmp_path / "slices.arrow", 1)
    copied = open_cached(table.path, table.digest, tmp_path / "node")
    assert copied.path.parent == tmp_path / "node"
    assert copied.digest == table.digest
    damaged = min(shard_folder(copied.path).iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    again = open_cached(table.path, table.digest, tmp_path / "node")
    assert np.array_equal(again.images(np.arange(30)), table.images(np.arange(30)))
