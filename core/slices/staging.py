"""Volumes that an ingest has finished, kept beside its table until that is whole: an interrupted ingest goes on.

    .slices.arrow.stage/<key>.arrow    one volume, compressed; the key says from what and how it was made
    .slices.arrow.stage/lock           held while an ingest runs

A piece counts only for the same file (name, size, time of change), options, code and libraries; others are removed.
"""

import fcntl
import json
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import cv2
import nibabel as nib
import numpy as np
import pyarrow as pa
import scipy

from core.durable import remove_left, replacing
from core.errors import BadInput
from core.slices.files import VolumeFile
from core.slices.layout import BATCH_DIGEST_KEY, VolumeSlices, batch_digest, schema, to_batch
from core.slices.preprocess import Preprocessing

Files = tuple[tuple[str, int, str], ...]
"""Of the files that a volume was made from: name, bytes, SHA-256."""
_FILES_KEY = b"files"


class Stage:
    """The stage of one table, as a context: it stays behind when anything is in it that was not cleared.

    Raises BadInput while another ingest writes the same table.
    """

    def __init__(self, table: Path) -> None:
        self.folder = table.with_name(f".{table.name}.stage")
        self._table = table
        self._lock: BinaryIO | None = None

    def __enter__(self) -> "Stage":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise BadInput(f"{self._table}: another ingest is writing this table") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._lock is None:
            return
        empty = not list(self.folder.glob("*.arrow"))
        if empty:
            (self.folder / "lock").unlink()
        self._lock.close()
        if empty:
            with suppress(OSError):  # whoever came in between goes on with it
                self.folder.rmdir()

    def keep(self, keys: Collection[str]) -> None:
        """Remove all pieces but these, and what an interruption left half-written, here or of the table itself."""
        remove_left(self._table)
        for path in self.folder.iterdir():
            if path.name != "lock" and path.name.removesuffix(".arrow") not in keys:
                path.unlink()

    def add(self, key: str, slices: VolumeSlices, files: Files) -> None:
        """Keep a volume, whole or not at all."""
        batch = to_batch(slices)
        kind = schema(*slices.images.shape[1:]).with_metadata({_FILES_KEY: json.dumps(files)})
        with replacing(self._path(key)) as temporary, pa.OSFile(str(temporary), "wb") as sink:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            with pa.ipc.new_file(sink, kind, options=options) as writer:
                told = {BATCH_DIGEST_KEY: batch_digest(batch)}
                writer.write_batch(batch.replace_schema_metadata(kind.metadata), custom_metadata=told)

    def files(self, key: str) -> Files | None:
        """What a kept volume was made from; None where it is not kept, or damaged."""
        if not self._path(key).exists():
            return None
        try:
            batch, digest = self.batch(key)
            found = json.loads(batch.schema.metadata[_FILES_KEY])
        except (pa.ArrowException, OSError, KeyError, ValueError):
            return None
        return tuple((name, size, content) for name, size, content in found) if batch_digest(batch) == digest else None

    def batch(self, key: str) -> tuple[pa.RecordBatch, str]:
        """A kept volume and its digest."""
        with pa.OSFile(str(self._path(key))) as source:
            batch, told = pa.ipc.open_file(source).get_batch_with_custom_metadata(0)
            return batch, bytes(told[BATCH_DIGEST_KEY]).decode()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.arrow"


def piece_key(file: VolumeFile, preprocessing: Preprocessing) -> str:
    """32 hexadecimal digits over all that a volume's slices depend on, its files by name, size and time of change.

    Raises OSError when a file is not there.
    """
    paths = [path for path in (file.image, file.mask) if path is not None]
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    options = {name: value for name, value in asdict(file).items() if name not in ("image", "mask")}
    text = json.dumps([_maker(), options, stats, asdict(preprocessing)], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:32]


@cache
def _maker() -> str:
    digest = sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    libraries = [library.__version__ for library in (cv2, nib, np, pa, scipy)]
    return f"{digest.hexdigest()} {libraries}"
