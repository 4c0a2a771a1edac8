"""Ingest: many volumes in parallel into one slice table, in a fixed order, with the bad ones skipped and listed."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from core.cores import usable_cores
from core.errors import BadInput, BadVolume
from core.slices.layout import TableMetadata, VolumeSlices
from core.slices.nifti import read_mask, read_volume
from core.slices.preprocess import Preprocessing, preprocess
from core.slices.source import Source, VolumeFile
from core.slices.table import SliceTable, open_table
from core.slices.writing import TableWriter

Told = Callable[[int, int, str], None]
"""Called with (volumes done, volumes in all, name of the last one), in the order of the table."""


@dataclass(frozen=True)
class IngestReport:
    """table: what was written. used: number of volumes in it. skipped: (volume, reason) of the others."""

    table: SliceTable
    used: int
    skipped: tuple[tuple[str, str], ...]

    @property
    def found(self) -> int:
        """Volumes used and skipped."""
        return self.used + len(self.skipped)


@dataclass(frozen=True)
class _Read:
    slices: VolumeSlices
    files: tuple[tuple[str, int, str], ...]  # name, bytes, SHA-256


def ingest(
    source: Source,
    out: Path,
    preprocessing: Preprocessing,
    *,
    workers: int | None = None,
    progress: Told | None = None,
) -> IngestReport:
    """Read all volumes of a source into the table `out`; the same files and options give the same bytes.

    workers: threads, by default one per core this process may use. Threads suffice, since nearly all the time goes to
    zlib, NumPy and OpenCV, which run side by side, and nothing is copied between processes. Twice as many volumes as
    workers are held at most. Raises BadInput, and leaves `out` as it was, when no volume can be used.
    """
    if not source.name or "/" in source.name:
        raise BadInput(f"dataset name {source.name!r}: expected a name without a slash")
    files = source.volumes()
    workers = workers or min(usable_cores(), len(files))
    digest = sha256()
    used, skipped = 0, []
    with TableWriter(out) as writer:
        for done, (file, read) in enumerate(_in_order(files, preprocessing, workers), start=1):
            if isinstance(read, _Read):
                used += 1
                writer.append(read.slices)
                digest.update(repr((file.volume, read.files)).encode())
            else:
                skipped.append((file.volume, read))
            if progress:
                progress(done, len(files), file.volume)
        if not used:
            name, reason = skipped[0]
            raise BadInput(f"none of {len(files)} volumes can be used; the first, {name}: {reason}")
        metadata = TableMetadata(asdict(preprocessing), source.describe(), digest.hexdigest(), tuple(skipped))
        writer.finish(metadata)
    return IngestReport(open_table(out), used, tuple(skipped))


def _in_order(
    files: list[VolumeFile], preprocessing: Preprocessing, workers: int
) -> Iterator[tuple[VolumeFile, _Read | str]]:
    """Each volume with what was read, or why it was skipped; in the given order, whichever is ready first."""
    ahead: deque[tuple[VolumeFile, Future[_Read | str]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ingest")
    try:
        for file in files:
            if len(ahead) >= 2 * workers:
                first, future = ahead.popleft()
                yield first, future.result()
            ahead.append((file, pool.submit(_read, file, preprocessing)))
        for file, future in ahead:
            yield file, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _read(file: VolumeFile, preprocessing: Preprocessing) -> _Read | str:
    if file.fault:
        return file.fault
    try:
        image = read_volume(file.image)
        mask, used = None, [(file.image, image.digest)]
        if file.mask is not None:
            mask, digest = read_mask(file.mask, image, file.labels)
            used.append((file.mask, digest))
        slices = preprocess(file, image, mask, preprocessing)
        return _Read(slices, tuple((path.name, path.stat().st_size, digest) for path, digest in used))
    except BadVolume as mistake:
        return _without_folders(str(mistake), file)


def _without_folders(reason: str, file: VolumeFile) -> str:
    # The reason becomes part of the table, whose digest must not change with the place of the data.
    for path in (file.image, file.mask):
        reason = reason.replace(str(path), path.name) if path else reason
    return reason
