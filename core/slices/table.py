"""Opening a slice table: memory-mapped, read without copies, refused in one sentence when it is not what was asked."""

import json
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import BadTable
from core.mirror import address, fetch, place
from core.slices.layout import (
    BATCH_DIGEST_KEY,
    FORMAT_VERSION,
    METADATA_KEY,
    TableMetadata,
    VolumeSlices,
    batch_digest,
    pixels,
    schema,
    table_digest,
)
from core.slices.shards import shard_folder, shards_of
from core.slices.writing import TableWriter

Rows = NDArray[np.integer] | NDArray[np.bool_] | slice


class SliceTable:
    """An open slice table of N slices of height x width pixels. Made by `open_table` or `write_table`.

    digest: 32 hexadecimal digits. metadata: TableMetadata. One entry per row, (N,) each: dataset, subject, volume
    (strings), slice_index (int32), foreground (float32, 0..1), family (str or None), normal (bool).
    `subject` is the key `dataset/subject` throughout, so that subjects of two datasets never meet under one name.
    Pickles as its path and digest, and is mapped again where it is unpickled.
    """

    def __init__(self, path: Path, digest: str, metadata: TableMetadata, batches: list[pa.RecordBatch]) -> None:
        self.path = path
        self.digest = digest
        self.metadata = metadata
        self._batches = batches
        self.height, self.width = batches[0].schema.field("image").type.shape
        self._starts = np.cumsum([0, *(batch.num_rows for batch in batches)])
        self._columns = pa.Table.from_batches(batches)
        self.normal: NDArray[np.bool_] = self._columns["mask"].is_null().to_numpy()

    # A training asks for rows by subject, and never for the names of each.
    @cached_property
    def dataset(self) -> NDArray[np.str_]:
        """The data set of each row."""
        return _Names.of(self._columns["dataset"]).each()

    @cached_property
    def subject(self) -> NDArray[np.str_]:
        """The subject's key `dataset/subject` of each row."""
        return self._subjects.each()

    @cached_property
    def volume(self) -> NDArray[np.str_]:
        """The volume of each row."""
        return _Names.of(self._columns["volume"]).each()

    @cached_property
    def family(self) -> NDArray[np.object_]:
        """The lesion family of each row, None where it has none."""
        return _Names.of(self._columns["family"], np.object_).each()

    @cached_property
    def slice_index(self) -> NDArray[np.int32]:
        """Where in its volume each slice lay."""
        found: NDArray[np.int32] = self._columns["slice_index"].to_numpy()
        return found

    @cached_property
    def foreground(self) -> NDArray[np.float32]:
        """Share of tissue of each slice, 0..1."""
        found: NDArray[np.float32] = self._columns["foreground"].to_numpy()
        return found

    @cached_property
    def _subjects(self) -> "_Names":
        return _Names.of(pc.binary_join_element_wise(self._columns["dataset"], self._columns["subject"], "/"))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __repr__(self) -> str:
        return f"SliceTable({str(self.path)!r}, {len(self)} slices of {self.height} x {self.width}, {self.digest})"

    def __reduce__(self) -> tuple[object, ...]:
        return _reopen, (address(self.path), self.digest)

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects' keys `dataset/subject`, sorted, each once."""
        return tuple(sorted(self._subjects.names.tolist()))

    def rows_of(self, subjects: Collection[str]) -> NDArray[np.intp]:
        """Ascending row numbers of the subjects with these keys. Raises KeyError on a key that the table lacks."""
        if missing := set(subjects) - set(self.subjects):
            raise KeyError(f"{self.path.name} has no subject {min(missing)!r}")
        wanted = np.isin(self._subjects.names, sorted(subjects))
        return np.flatnonzero(wanted[self._subjects.codes])

    def rows_without(self, subjects: Collection[str]) -> NDArray[np.intp]:
        """Ascending row numbers of all subjects but these; keys that the table lacks change nothing."""
        left = ~np.isin(self._subjects.names, sorted(subjects))
        return np.flatnonzero(left[self._subjects.codes])

    def images(self, rows: Rows) -> NDArray[np.uint8]:
        """A copy of the images of these rows, (n,H,W). Raises IndexError on rows that do not exist."""
        return self._gather("image", self._positions(rows))

    def masks(self, rows: Rows) -> NDArray[np.uint8]:
        """A copy of the masks of these rows, (n,H,W) of 0 and 1; all zeros for a normal slice."""
        positions = self._positions(rows)
        masks = self._gather("mask", positions)
        masks[self.normal[positions]] = 0
        return masks

    def image_views(self) -> list[NDArray[np.uint8]]:
        """Per volume, in row order, the (n,H,W) images in the memory map itself: read-only, nothing is copied."""
        return [pixels(batch.column("image")) for batch in self._batches]

    def span(self, volume: int) -> tuple[int, int]:
        """First row of a volume, counted as `image_views` does, and the row after its last."""
        return int(self._starts[volume]), int(self._starts[volume + 1])

    def _positions(self, rows: Rows) -> NDArray[np.intp]:
        return np.atleast_1d(np.arange(len(self))[rows])

    def _gather(self, column: str, positions: NDArray[np.intp]) -> NDArray[np.uint8]:
        gathered = np.empty((len(positions), self.height, self.width), np.uint8)
        volumes = np.searchsorted(self._starts, positions, side="right") - 1
        for volume in np.unique(volumes):
            chosen = np.flatnonzero(volumes == volume)
            views = pixels(self._batches[volume].column(column))
            gathered[chosen] = views[positions[chosen] - self._starts[volume]]
        return gathered


def open_table(path: Path, *, digest: str | None = None, verify: bool = False) -> SliceTable:
    """Map a table; `digest` is the one that it must have, `verify` reads all pixels and recomputes it.

    A table in several files is given by the one that ends it. From object storage (`s3://bucket/slices.arrow`) copies
    are fetched and mapped. Raises BadTable when a file is missing, cut short, not a slice table, of another format
    version, has other columns, another digest, or (with verify) values that do not belong to its digest; BadStorage
    when the storage does not answer.
    """
    path = fetch(Path(os.path.realpath(place(path))))  # of links in a circle, resolve() makes another error
    shown = address(path)
    if not path.is_file():
        raise BadTable(f"{shown}: no such slice table; make one with python -m core.ingest")
    last, found = _mapped(path, shown)
    metadata = _metadata(shown, last)
    folder = shard_folder(path)
    before = []
    for name in shards_of(shown, last):
        shard = fetch(folder / name)
        if not shard.is_file():
            raise BadTable(f"{shown}: lacks {address(shard)}; a table moves together with its folder {folder.name}")
        kind, batches = _mapped(shard, address(shard))
        if kind != last:
            raise BadTable(f"{address(shard)}: has other columns than {path.name}")
        before += batches
    found = before + found
    if not found:
        raise BadTable(f"{shown}: holds no slices")
    told = [bytes((custom or {}).get(BATCH_DIGEST_KEY, b"")).decode(errors="replace") for _, custom in found]
    actual = table_digest(metadata, told)
    if digest is not None and digest != actual:
        raise BadTable(f"{shown}: has digest {actual}, expected {digest}: these are other slices than before")
    if verify:
        for (batch, _), expected in zip(found, told, strict=True):
            if batch_digest(batch) != expected:
                volume = batch.column("volume")[0].as_py()
                raise BadTable(f"{shown}: the slices of volume {volume!r} were changed since they were written")
    return SliceTable(path, actual, metadata, [batch for batch, _ in found if batch.num_rows])


def _mapped(path: Path, shown: str) -> tuple[pa.Schema, list[tuple[pa.RecordBatch, dict[bytes, bytes]]]]:
    """The schema, and each batch with what is told beside it."""
    try:
        # As one buffer: of a mapped file Arrow would ask the system for the pages of each batch anew.
        file = pa.ipc.open_file(pa.BufferReader(pa.memory_map(str(path)).read_buffer()))
        found = [file.get_batch_with_custom_metadata(index) for index in range(file.num_record_batches)]
        for batch, _ in found:
            batch.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise BadTable(f"{shown}: not a complete Arrow file ({str(error).splitlines()[0]})") from error
    return file.schema, found


def write_table(path: Path, volumes: Iterable[VolumeSlices], metadata: TableMetadata) -> SliceTable:
    """Write these volumes in their order and open the result. On any error, no file is left and an old one is kept.

    Raises BadInput when there is no volume, ValueError when image sizes differ.
    """
    with TableWriter(path) as writer:
        for volume in volumes:
            writer.append(volume)
        writer.finish(metadata)
    return open_table(path)


@dataclass(frozen=True)
class _Names:
    """A column of text: each name once, and which of them (N,) each row has."""

    names: NDArray[Any]
    codes: NDArray[np.integer]

    @classmethod
    def of(cls, column: pa.ChunkedArray, kind: type[np.generic] = np.str_) -> "_Names":
        encoded = pc.dictionary_encode(column.combine_chunks())
        names = np.array([*encoded.dictionary.to_pylist(), *([None] if column.null_count else [])], dtype=kind)
        return cls(names, encoded.indices.fill_null(len(names) - 1).to_numpy())

    def each(self) -> NDArray[Any]:
        """The name of each row."""
        found: NDArray[Any] = self.names[self.codes]
        return found


def _metadata(shown: str, found: pa.Schema) -> TableMetadata:
    text = (found.metadata or {}).get(METADATA_KEY)
    if text is None:
        raise BadTable(f"{shown}: an Arrow file, but not a slice table; make one with python -m core.ingest")
    try:
        version = json.loads(text)["format"]
        if version != FORMAT_VERSION:
            raise BadTable(
                f"{shown}: has format version {version}, expected {FORMAT_VERSION}; ingest the volumes again"
            )
        metadata = TableMetadata.from_json(text.decode())
    except (KeyError, TypeError, ValueError) as error:
        raise BadTable(f"{shown}: its metadata cannot be read ({error!r})") from error
    shape = getattr(found.field("image").type, "shape", (0, 0)) if "image" in found.names else (0, 0)
    if len(shape) != 2 or found != schema(*shape):
        raise BadTable(f"{shown}: has columns {', '.join(found.names)} of other types than a slice table's")
    return metadata


def _reopen(path: str, digest: str) -> SliceTable:
    return open_table(Path(path), digest=digest)
