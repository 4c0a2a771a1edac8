"""Opening a slice table: memory-mapped, read without copies, refused in one sentence when it is not what was asked."""

import json
from collections.abc import Collection, Iterable
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
        self._images = [pixels(batch.column("image")) for batch in batches]
        self._masks = [pixels(batch.column("mask")) for batch in batches]
        self.height, self.width = self._images[0].shape[1:]
        self._starts = np.cumsum([0, *(len(images) for images in self._images)])

        columns = pa.Table.from_batches(batches)
        self.dataset = _names(columns["dataset"], np.str_)
        keys = pc.binary_join_element_wise(columns["dataset"], columns["subject"], "/")
        self.subject = _names(keys, np.str_)
        self.volume = _names(columns["volume"], np.str_)
        self.slice_index: NDArray[np.int32] = columns["slice_index"].to_numpy()
        self.foreground: NDArray[np.float32] = columns["foreground"].to_numpy()
        self.family = _names(columns["family"], np.object_)
        self.normal: NDArray[np.bool_] = np.concatenate([np.asarray(b.column("mask").is_null()) for b in batches])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __repr__(self) -> str:
        return f"SliceTable({str(self.path)!r}, {len(self)} slices of {self.height} x {self.width}, {self.digest})"

    def __reduce__(self) -> tuple[object, ...]:
        return _reopen, (address(self.path), self.digest)

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects' keys `dataset/subject`, sorted, each once."""
        return tuple(np.unique(self.subject).tolist())

    def rows_of(self, subjects: Collection[str]) -> NDArray[np.intp]:
        """Ascending row numbers of the subjects with these keys. Raises KeyError on a key that the table lacks."""
        if missing := set(subjects) - set(self.subjects):
            raise KeyError(f"{self.path.name} has no subject {min(missing)!r}")
        return np.flatnonzero(np.isin(self.subject, sorted(subjects)))

    def images(self, rows: Rows) -> NDArray[np.uint8]:
        """A copy of the images of these rows, (n,H,W). Raises IndexError on rows that do not exist."""
        return self._gather(self._images, self._positions(rows))

    def masks(self, rows: Rows) -> NDArray[np.uint8]:
        """A copy of the masks of these rows, (n,H,W) of 0 and 1; all zeros for a normal slice."""
        positions = self._positions(rows)
        masks = self._gather(self._masks, positions)
        masks[self.normal[positions]] = 0
        return masks

    def image_views(self) -> list[NDArray[np.uint8]]:
        """Per volume, in row order, the (n,H,W) images in the memory map itself: read-only, nothing is copied."""
        return list(self._images)

    def span(self, volume: int) -> tuple[int, int]:
        """First row of a volume, counted as `image_views` does, and the row after its last."""
        return int(self._starts[volume]), int(self._starts[volume + 1])

    def _positions(self, rows: Rows) -> NDArray[np.intp]:
        return np.atleast_1d(np.arange(len(self))[rows])

    def _gather(self, views: list[NDArray[np.uint8]], positions: NDArray[np.intp]) -> NDArray[np.uint8]:
        gathered = np.empty((len(positions), self.height, self.width), np.uint8)
        volumes = np.searchsorted(self._starts, positions, side="right") - 1
        for volume in np.unique(volumes):
            chosen = np.flatnonzero(volumes == volume)
            gathered[chosen] = views[volume][positions[chosen] - self._starts[volume]]
        return gathered


def open_table(path: Path, *, digest: str | None = None, verify: bool = False) -> SliceTable:
    """Map a table; `digest` is the one that it must have, `verify` reads all pixels and recomputes it.

    A table in several files is given by the one that ends it. From object storage (`s3://bucket/slices.arrow`) copies
    are fetched and mapped. Raises BadTable when a file is missing, cut short, not a slice table, of another format
    version, has other columns, another digest, or (with verify) values that do not belong to its digest; BadStorage
    when the storage does not answer.
    """
    path = fetch(place(path).resolve())
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
        file = pa.ipc.open_file(pa.memory_map(str(path)))
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


def _names(column: pa.ChunkedArray, kind: type[np.generic]) -> NDArray[Any]:
    """The text of each row, None where it is null; each name is made once, and not once for every slice."""
    encoded = pc.dictionary_encode(column.combine_chunks())
    names = np.array([*encoded.dictionary.to_pylist(), *([None] if column.null_count else [])], dtype=kind)
    found: NDArray[Any] = names[encoded.indices.fill_null(len(names) - 1).to_numpy()]
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
