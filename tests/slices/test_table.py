"""Slice tables: what is written comes back, without copies, and anything else is refused."""

import errno
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import core.slices.writing as writing
from core.errors import BadInput, BadTable
from core.slices import SliceTable, TableMetadata, TableWriter, VolumeSlices, open_table, write_table
from core.slices.layout import METADATA_KEY, pixels, schema, to_batch

NAMES = st.text("abcé ._-", min_size=1, max_size=6)
METADATA = TableMetadata({"side": 8}, {"kind": "made"}, "ab" * 32, (("bad", "is not good"),))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def volume(seed: int, n: int = 4, side: int = 8, *, masked: bool = True, subject: str = "s", dataset: str = "d"):
    rng = np.random.default_rng(seed)
    masks = (rng.random((n, side, side)) < 0.2).astype(np.uint8)
    masks[::2] = 0
    images = rng.integers(0, 256, (n, side, side), dtype=np.uint8)
    families = ["rim" if mask.any() and masked else None for mask in masks]
    index = np.arange(n, dtype=np.int32)
    return VolumeSlices(dataset, subject, f"v{seed}", images, masks if masked else None, index, families)


@st.composite
def volumes(draw: st.DrawFn) -> list[VolumeSlices]:
    side = draw(st.integers(1, 9))
    return [
        volume(
            seed, draw(st.integers(1, 5)), side, masked=draw(st.booleans()), subject=draw(NAMES), dataset=draw(NAMES)
        )
        for seed in range(draw(st.integers(1, 4)))
    ]


def expected_masks(all_slices: list[VolumeSlices]) -> np.ndarray:
    return np.concatenate([np.zeros_like(v.images) if v.masks is None else v.masks for v in all_slices])


@given(made=volumes(), data=st.data())
@settings(max_examples=40, deadline=None)
def test_what_is_written_comes_back(made: list[VolumeSlices], data: st.DataObject, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("table") / "t.arrow"
    table = write_table(path, made, METADATA)
    images, masks = np.concatenate([v.images for v in made]), expected_masks(made)
    assert len(table) == len(images)
    assert (table.height, table.width) == images.shape[1:]
    assert table.metadata == METADATA
    np.testing.assert_array_equal(table.images(slice(None)), images)
    np.testing.assert_array_equal(table.masks(slice(None)), masks)
    np.testing.assert_array_equal(table.normal, ~masks.any(axis=(1, 2)))
    np.testing.assert_array_equal(table.slice_index, np.concatenate([v.slice_index for v in made]))
    np.testing.assert_allclose(table.foreground, (images > 0).mean(axis=(1, 2)), rtol=1e-6)
    assert table.family.tolist() == [family for v in made for family in v.families]
    assert table.subject.tolist() == [f"{v.dataset}/{v.subject}" for v in made for _ in v.images]
    assert table.volume.tolist() == [v.volume for v in made for _ in v.images]

    rows = np.array(data.draw(st.lists(st.integers(-len(table), len(table) - 1), max_size=12)), dtype=np.intp)
    np.testing.assert_array_equal(table.images(rows), images[rows])
    np.testing.assert_array_equal(table.masks(rows), masks[rows])
    assert open_table(path, digest=table.digest, verify=True).digest == table.digest


@pytest.fixture
def table(tmp_path: Path) -> SliceTable:
    made = [volume(0, subject="a"), volume(1, masked=False, subject="b"), volume(2, dataset="e", subject="a")]
    return write_table(tmp_path / "t.arrow", made, METADATA)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the list of memory maps is read from /proc")
def test_reads_without_copies(table: SliceTable) -> None:
    """The views lie inside the memory map of the file, and Arrow allocates nothing."""
    views = table.image_views()
    assert [len(view) for view in views] == [4, 4, 4]
    allocated = pa.total_allocated_bytes()
    assert np.concatenate(table.image_views()).sum() == table.images(slice(None)).sum(dtype=int)
    assert pa.total_allocated_bytes() == allocated
    assert not any(view.flags.owndata or view.flags.writeable for view in views)
    maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(table.path) in line]
    spans = [[int(edge, 16) for edge in line.split()[0].split("-")] for line in maps]
    assert all(any(low <= view.ctypes.data < high for low, high in spans) for view in views)


def test_subjects_of_two_datasets_never_meet(table: SliceTable) -> None:
    assert table.subjects == ("d/a", "d/b", "e/a")
    np.testing.assert_array_equal(table.rows_of(["e/a", "d/b"]), np.arange(4, 12))
    assert len(table.rows_of([])) == 0
    np.testing.assert_array_equal(
        table.rows_without(["e/a", "d/b", "none/such"]), np.setdiff1d(np.arange(len(table)), np.arange(4, 12))
    )
    with pytest.raises(KeyError, match="has no subject 'a'"):
        table.rows_of(["a"])


def test_rows_outside_are_refused(table: SliceTable) -> None:
    with pytest.raises(IndexError):
        table.images(np.array([12]))
    assert table.images(table.normal).shape == (int(table.normal.sum()), 8, 8)


def test_travels_by_path(table: SliceTable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packed = pickle.dumps(table)
    assert len(packed) < 500
    monkeypatch.chdir(tmp_path.parent)
    again = pickle.loads(packed)  # noqa: S301
    assert again.digest == table.digest
    np.testing.assert_array_equal(again.images(slice(None)), table.images(slice(None)))


def test_a_relative_path_survives_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    packed = pickle.dumps(write_table(Path("here.arrow"), [volume(0)], METADATA))
    monkeypatch.chdir("/")
    assert len(pickle.loads(packed)) == 4  # noqa: S301


def test_digest_knows_values_order_and_metadata(tmp_path: Path) -> None:
    def digest(made: list[VolumeSlices], metadata: TableMetadata = METADATA) -> str:
        return write_table(tmp_path / "t.arrow", made, metadata).digest

    first = digest([volume(0), volume(1)])
    assert first == digest([volume(0), volume(1)])
    assert (
        len(
            {
                first,
                digest([volume(1), volume(0)]),
                digest([volume(0)]),
                digest([volume(0), volume(1)], TableMetadata()),
            }
        )
        == 4
    )


def test_a_table_keeps_the_digest_that_studies_know_it_by(tmp_path: Path) -> None:
    """Of frames that are not square, names beyond ASCII, a null mask and a family."""
    images = np.arange(60, dtype=np.uint8).reshape(4, 3, 5)
    masks, index = (images > 40).astype(np.uint8), np.arange(7, 11, dtype=np.int32)
    made = [
        VolumeSlices("d", "Ägidius", "v1", images, masks, index, [None, None, "rim", None]),
        VolumeSlices("d", "b", "v2", images[:2] + 9, None, index[:2], [None] * 2),
    ]
    table = write_table(tmp_path / "t.arrow", made, TableMetadata({"side": 5}, {"kind": "größer"}))
    assert table.digest == "7b5fa8eb73c1b425108d3f8f5b3b98d2"
    np.testing.assert_array_equal(table.images(slice(None)), np.concatenate([one.images for one in made]))
    np.testing.assert_array_equal(table.masks(slice(None)), expected_masks(made))
    np.testing.assert_array_equal(pixels(to_batch(made[0]).slice(1, 2).column("image")), images[1:3])


def test_digest_ignores_how_an_empty_mask_is_told(tmp_path: Path) -> None:
    plain = volume(0, masked=False)
    zeros = VolumeSlices("d", "s", "v0", plain.images, np.zeros_like(plain.images), plain.slice_index, plain.families)
    digests = [write_table(tmp_path / name, [v], METADATA).digest for name, v in (("a", plain), ("b", zeros))]
    assert digests[0] == digests[1]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_refuses_other_digest(table: SliceTable) -> None:
    with pytest.raises(BadTable, match=f"has digest {table.digest}, expected {'0' * 32}"):
        open_table(table.path, digest="0" * 32)


def test_refuses_changed_pixels(table: SliceTable) -> None:
    content = bytearray(table.path.read_bytes())
    at = content.index(table.images(np.array([5])).tobytes())
    content[at + 3] ^= 1
    changed = table.path.with_name("changed.arrow")
    changed.write_bytes(content)
    open_table(changed)
    with pytest.raises(BadTable, match="volume 'v1' were changed"):
        open_table(changed, verify=True)


def test_refuses_every_cut(table: SliceTable) -> None:
    content, cut = table.path.read_bytes(), table.path.with_name("cut.arrow")
    for length in [0, 5, 8, 100, *range(200, len(content), 211), len(content) - 1]:
        cut.write_bytes(content[:length])
        with pytest.raises(BadTable, match="not a complete Arrow file") as refused:
            open_table(cut)
        assert "\n" not in str(refused.value)


def test_refuses_missing_text_and_other_arrow_files(tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"
    (tmp_path / "around.arrow").symlink_to("around.arrow")
    with pytest.raises(BadTable, match=r"around\.arrow: no such slice table"):
        open_table(tmp_path / "around.arrow")
    with pytest.raises(BadTable, match="no such slice table"):
        open_table(path)
    path.write_text("subject,age\n")
    with pytest.raises(BadTable, match="not a complete Arrow file"):
        open_table(path)
    other = pa.table({"a": [1]})
    with pa.ipc.new_file(str(path), other.schema) as writer:
        writer.write_table(other)
    with pytest.raises(BadTable, match="an Arrow file, but not a slice table"):
        open_table(path)


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        (METADATA.to_json().replace('"format": 1', '"format": 7'), "has format version 7, expected 1"),
        ("{}", "its metadata cannot be read"),
        ("[1]", "its metadata cannot be read"),
        ("not json", "its metadata cannot be read"),
        ('{"format": 1}', "its metadata cannot be read"),
    ],
)
def test_refuses_other_metadata(tmp_path: Path, metadata: str, sentence: str) -> None:
    path, batch = tmp_path / "t.arrow", to_batch(volume(0))
    full = batch.schema.with_metadata({METADATA_KEY: metadata})
    with pa.ipc.new_file(str(path), full) as writer:
        writer.write_batch(batch.replace_schema_metadata(full.metadata))
    with pytest.raises(BadTable, match=sentence):
        open_table(path)


def test_refuses_other_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"
    fields = schema(8, 8, METADATA)
    less = pa.schema([field for field in fields if field.name != "foreground"], metadata=fields.metadata)
    with pa.ipc.new_file(str(path), less):
        pass
    with pytest.raises(BadTable, match=r"has columns image, mask, .*family"):
        open_table(path)


def test_an_error_leaves_the_old_table(table: SliceTable) -> None:
    def broken():
        yield volume(5)
        raise RuntimeError("a source failed")

    with pytest.raises(RuntimeError, match="a source failed"):
        write_table(table.path, broken(), METADATA)
    assert open_table(table.path, digest=table.digest, verify=True)
    assert names(table.path.parent) == ["t.arrow"]


def test_needs_a_slice(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="at least one slice"):
        write_table(tmp_path / "t.arrow", [], METADATA)
    assert not names(tmp_path)


def test_refuses_another_image_size(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="v1: images of 16 x 16 in a table of"):
        write_table(tmp_path / "t.arrow", [volume(0), volume(1, side=16)], METADATA)
    assert not names(tmp_path)


class FullDisk:
    """A file that takes this many bytes, and no more."""

    def __init__(self, path: str, room: int) -> None:
        self.file, self.room, self.closed = open(path, "wb"), room, False  # noqa: SIM115, PTH123

    def write(self, content: pa.Buffer) -> int:
        self.room -= len(content)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(content)

    def flush(self) -> None:
        self.file.flush()

    def close(self) -> None:
        self.file.close()
        self.closed = True


@pytest.mark.parametrize("room", [0, 1000, 3000, 6000])
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    def full(path: str, mode: str) -> pa.NativeFile:
        return pa.PythonFile(FullDisk(path, room), mode="w")

    monkeypatch.setattr(writing.pa, "OSFile", full)
    with pytest.raises(OSError, match="No space left"):
        write_table(tmp_path / "t.arrow", [volume(n) for n in range(9)], METADATA)
    assert not names(tmp_path)


def test_leaving_without_finish_leaves_nothing(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "t.arrow") as writer:
        writer.append(volume(0))
        assert len(names(tmp_path)) == 1
    assert not names(tmp_path)
