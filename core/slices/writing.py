"""Writing a slice table: streamed volume by volume, and either whole or absent."""

from pathlib import Path
from types import TracebackType

import pyarrow as pa

from core.durable import temporary_of
from core.errors import BadInput
from core.slices.layout import TableMetadata, VolumeSlices, batch_digest, schema, to_batch
from core.slices.shards import require_replaceable, write_batches


class TableWriter:
    """Append volumes, then finish with the metadata; leaving the context before `finish` leaves no file.

    Which volumes were skipped, and the digest of what was read, are known only after the last volume, but Arrow writes
    the schema with its metadata first. So volumes are staged, compressed, in a hidden file beside the target, and
    `finish` copies them, batch by batch, behind the complete schema. Memory holds one volume at any time.
    Raises BadInput at once when another file or a folder has the table's name.
    """

    def __init__(self, path: Path) -> None:
        require_replaceable(path)
        self.path = path
        self._temporary = temporary_of(path)
        self._sink: pa.NativeFile | None = None
        self._writer: pa.RecordBatchFileWriter | None = None
        self._shape = (0, 0)
        self._digests: list[str] = []

    def __enter__(self) -> "TableWriter":
        self._stage = self._temporary.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._close()
        except OSError:
            # A full disk makes closing fail as well; the first error is the one to tell.
            if error is None:
                raise
        finally:
            self._temporary.__exit__(kind, error, at)

    def append(self, slices: VolumeSlices) -> None:
        """Add one volume. Raises ValueError when its images have another size than those before."""
        height, width = slices.images.shape[1:]
        if self._writer is None:
            self._shape = (height, width)
            self._sink = pa.OSFile(str(self._stage), "wb")
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writer = pa.ipc.new_file(self._sink, schema(height, width), options=options)
        elif (height, width) != self._shape:
            raise ValueError(f"{slices.volume}: images of {height} x {width} in a table of {self._shape}")
        batch = to_batch(slices)
        self._writer.write_batch(batch)
        self._digests.append(batch_digest(batch))

    def finish(self, metadata: TableMetadata) -> None:
        """Write the table under its name. Raises BadInput when no volume was appended."""
        if not self._digests:
            raise BadInput(f"{self.path}: not written, since a table needs at least one slice")
        self._close()
        with pa.memory_map(str(self._stage)) as staged:
            batches = pa.ipc.open_file(staged)
            write_batches(self.path, ((batches.get_batch(n), told) for n, told in enumerate(self._digests)), metadata)

    def _close(self) -> None:
        writer, sink, self._writer, self._sink = self._writer, self._sink, None, None
        try:
            if writer is not None:
                writer.close()
        finally:
            if sink is not None:
                sink.close()
