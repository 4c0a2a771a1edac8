"""Large tables in several files: `slices.arrow` ends the table, and what comes before it lies in `slices.shards/`.

The digest is that of the same table in one file. A shard is named by its content, so writing a table anew leaves alone
what the one before it needs until the new one is whole.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa

from core.durable import put, temporary_of
from core.errors import BadInput, BadTable
from core.mirror import names, withdraw
from core.slices.layout import BATCH_DIGEST_KEY, TableMetadata, schema

LIMIT = 4 << 30
"""Bytes at which a file is full; a batch is never divided."""
_SHARDS_KEY = b"shards"
_BEGINS = b"ARROW1"
_Batches = Iterator[tuple[pa.RecordBatch, str]]


def shard_folder(table: Path) -> Path:
    """Where a table's shards lie, if it has any.

    No two tables share it, since writing one removes whatever it does not need there.
    """
    return table.with_name(f"{table.stem}.shards" if table.suffix == ".arrow" else f"{table.name}-shards")


def require_replaceable(table: Path) -> None:
    """Raise BadInput when what stands where a table is to be written is something else, such as a manifest or a folder.

    A damaged table is known by its name alone.
    """
    if table.is_dir():
        raise BadInput(f"{table}: is a folder, expected a name for the table")
    if table.suffix != ".arrow" and table.is_file():
        with table.open("rb") as file:
            if file.read(len(_BEGINS)) != _BEGINS:
                raise BadInput(f"{table}: stands there and is not a slice table, expected another name for the table")


def shards_of(shown: str, found: pa.Schema) -> list[str]:
    """Names of the files that come before this one, in order. Raises BadTable when they are not plain names."""
    try:
        listed = json.loads((found.metadata or {}).get(_SHARDS_KEY, b"[]"))
    except ValueError:
        listed = None
    if not isinstance(listed, list) or any(not isinstance(name, str) or Path(name).name != name for name in listed):
        raise BadTable(f"{shown}: its list of shards cannot be read")
    return listed


def write_batches(
    path: Path, batches: Iterable[tuple[pa.RecordBatch, str]], metadata: TableMetadata, *, limit: int = LIMIT
) -> None:
    """Write a table of batches with their digests, one after the other, and either whole or not at all.

    Raises ValueError when there is no batch, BadInput when another file would be lost.
    """
    require_replaceable(path)
    folder = shard_folder(path)
    before = set(names(folder))
    shards: list[str] = []
    rest = iter(batches)
    coming = next(rest, None)
    if coming is None:
        raise ValueError("a table needs at least one batch")
    try:
        while coming is not None:
            with temporary_of(path) as temporary:
                digests, coming = _fill(temporary, coming, rest, metadata, shards, limit)
                if coming is not None:
                    name = blake2b("".join(digests).encode(), digest_size=16).hexdigest() + ".arrow"
                    folder.mkdir(exist_ok=True)
                    put(temporary, folder / name)
                    shards.append(name)
                else:
                    put(temporary, path)
        unused = before - set(shards)
    except BaseException:
        unused = set(shards) - before
        raise
    finally:
        _remove(folder, unused)


def _fill(
    file: Path,
    coming: tuple[pa.RecordBatch, str],
    rest: _Batches,
    metadata: TableMetadata,
    shards: Sequence[str],
    limit: int,
) -> tuple[list[str], tuple[pa.RecordBatch, str] | None]:
    """Write batches until the file is full: their digests, and the first batch that is left over, if any."""
    height, width = coming[0].column("image").type.shape
    told = dict(schema(height, width, metadata).metadata)
    if shards:
        told[_SHARDS_KEY] = json.dumps(shards).encode()
    full = schema(height, width).with_metadata(told)
    digests: list[str] = []
    following: tuple[pa.RecordBatch, str] | None = coming
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, full) as writer:
        while following is not None and (not digests or sink.tell() < limit):
            batch, digest = following
            writer.write_batch(batch.replace_schema_metadata(told), custom_metadata={BATCH_DIGEST_KEY: digest})
            digests.append(digest)
            following = next(rest, None)
    return digests, following


def _remove(folder: Path, unused: Iterable[str]) -> None:
    for name in unused:
        withdraw(folder / name)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
