"""What a slice table holds: its records, its Arrow schema, and the digest of its values.

    image        fixed_shape_tensor<uint8>[H,W]            0 is background, foreground is 1..255
    mask         fixed_shape_tensor<uint8>[H,W], nullable  0/1; null: the slice is normal, and this is known
    dataset, subject, volume   string
    slice_index  int32     position in the canonical (RAS) volume: from the feet, back or left, as the plane is
    foreground   float32   fraction of the image's pixels that are not 0
    family       string, nullable                          lesion family where it is known

One record batch holds one volume. The schema's metadata holds one JSON value, `TableMetadata` with the format version.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

FORMAT_VERSION = 1
METADATA_KEY = b"slice_table"
BATCH_DIGEST_KEY = b"digest"


@dataclass(frozen=True, eq=False)
class VolumeSlices:
    """The slices of one volume: n images of H x W pixels. Raises ValueError when the arrays do not fit each other.

    images: (n,H,W) uint8. masks: (n,H,W) uint8 of 0 and 1, or None when all slices are normal; a slice whose mask is
    empty is normal too. slice_index: (n,) int32. families: n lesion families, None where there is none.
    A subject is known by `dataset/subject`, so a dataset's name has no slash.
    """

    dataset: str
    subject: str
    volume: str
    images: NDArray[np.uint8]
    masks: NDArray[np.uint8] | None
    slice_index: NDArray[np.int32]
    families: Sequence[str | None]

    def __post_init__(self) -> None:
        if not self.dataset or "/" in self.dataset or not self.subject or not self.volume:
            raise ValueError(f"names are not empty and datasets have no slash: {self.dataset!r}, {self.subject!r}")
        if self.images.dtype != np.uint8 or self.images.ndim != 3 or 0 in self.images.shape:
            raise ValueError(f"images are {self.images.dtype} of shape {self.images.shape}, expected uint8 (n,H,W)")
        n = len(self.images)
        if self.masks is not None and (self.masks.dtype != np.uint8 or self.masks.shape != self.images.shape):
            raise ValueError(f"masks have shape {self.masks.shape}, expected {self.images.shape}")
        if self.masks is not None and self.masks.max() > 1:
            raise ValueError("masks hold 0 and 1 only")
        if self.slice_index.shape != (n,) or len(self.families) != n:
            raise ValueError(f"{n} images, {self.slice_index.shape} positions, {len(self.families)} families")


@dataclass(frozen=True)
class TableMetadata:
    """Where the slices come from: plain JSON values, without absolute paths so that moved data keep their digest.

    preprocessing and source: dictionaries. source_digest: SHA-256 (hex) of the files' names, sizes and contents.
    skipped: (file, reason) of volumes that were left out.
    """

    preprocessing: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    source_digest: str = ""
    skipped: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> str:
        """One line, keys sorted, with the format version."""
        content = {"format": FORMAT_VERSION, **asdict(self)}
        return json.dumps(content, sort_keys=True, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "TableMetadata":
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError on other text."""
        content = json.loads(text)
        skipped = tuple((str(file), str(reason)) for file, reason in content["skipped"])
        return cls(content["preprocessing"], content["source"], content["source_digest"], skipped)


def schema(height: int, width: int, metadata: TableMetadata | None = None) -> pa.Schema:
    """The Arrow schema for images of height x width pixels."""
    tensor = pa.fixed_shape_tensor(pa.uint8(), [height, width])
    fields = [
        pa.field("image", tensor, nullable=False),
        pa.field("mask", tensor),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("subject", pa.string(), nullable=False),
        pa.field("volume", pa.string(), nullable=False),
        pa.field("slice_index", pa.int32(), nullable=False),
        pa.field("foreground", pa.float32(), nullable=False),
        pa.field("family", pa.string()),
    ]
    return pa.schema(fields, metadata={METADATA_KEY: metadata.to_json()} if metadata else None)


def to_batch(slices: VolumeSlices) -> pa.RecordBatch:
    """One volume as a record batch; empty masks become null."""
    n, height, width = slices.images.shape
    columns = schema(height, width)
    masks = np.zeros_like(slices.images) if slices.masks is None else slices.masks
    normal = ~masks.any(axis=(1, 2))
    foreground = np.count_nonzero(slices.images, axis=(1, 2)) / np.float32(height * width)
    arrays = [
        _tensor(columns.field("image").type, slices.images, None),
        _tensor(columns.field("mask").type, masks, pa.array(normal)),
        *(pa.array([name] * n, pa.string()) for name in (slices.dataset, slices.subject, slices.volume)),
        pa.array(slices.slice_index.astype(np.int32, copy=False)),
        pa.array(foreground.astype(np.float32)),
        pa.array(list(slices.families), pa.string()),
    ]
    return pa.record_batch(arrays, schema=columns)


def _tensor(kind: pa.DataType, values: NDArray[np.uint8], null: pa.Array | None) -> pa.Array:
    size = values.shape[1] * values.shape[2]
    rows = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).reshape(-1)), size, mask=null)
    return pa.ExtensionArray.from_storage(kind, rows)


def pixels(column: pa.Array) -> NDArray[np.uint8]:
    """The (n,H,W) pixels of an image or mask column, without a copy. What null rows hold is undefined."""
    rows = column.storage
    height, width = column.type.shape
    size = height * width
    values = rows.values.to_numpy(zero_copy_only=True)[rows.offset * size : (rows.offset + len(rows)) * size]
    return np.asarray(values, np.uint8).reshape(len(rows), height, width)


def batch_digest(batch: pa.RecordBatch) -> str:
    """32 hexadecimal digits over the values: padding, offsets and what null masks hold do not count."""
    digest = blake2b(f"{batch.num_rows} {batch.column('image').type.shape}".encode(), digest_size=16)
    mask, null = batch.column("mask"), np.asarray(batch.column("mask").is_null())
    digest.update(pixels(batch.column("image")).data)
    digest.update(np.packbits(null).data)
    digest.update(pixels(mask)[~null].data)
    for name in ("slice_index", "foreground"):
        values = batch.column(name).to_numpy()
        digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).data)
    words = [batch.column(name).to_pylist() for name in ("dataset", "subject", "volume", "family")]
    digest.update(json.dumps(words, ensure_ascii=False).encode())
    return digest.hexdigest()


def table_digest(metadata: TableMetadata, batches: Sequence[str]) -> str:
    """32 hexadecimal digits over the metadata and the batches' digests, in order."""
    digest = blake2b(metadata.to_json().encode(), digest_size=16)
    digest.update(json.dumps(list(batches)).encode())
    return digest.hexdigest()
