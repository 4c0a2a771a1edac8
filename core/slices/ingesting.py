"""Ingest: many volumes in parallel into one slice table, in a fixed order, with the bad ones skipped and listed."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from threading import Condition

from core.allocation import keep_freed_memory
from core.cores import usable_cores
from core.errors import BadInput, BadVolume
from core.mirror import place
from core.slices.files import UNPRINTABLE, VolumeFile, printable
from core.slices.layout import TableMetadata
from core.slices.nifti import claimed_size, read_mask, read_volume
from core.slices.preprocess import Preprocessing, preprocess
from core.slices.shards import require_replaceable, write_batches
from core.slices.source import Source
from core.slices.staging import Files, Stage, piece_key
from core.slices.table import SliceTable, open_table

Told = Callable[[int, int, str], None]
"""Called with (volumes done, volumes in all, name of the last one), in the order of the table."""
MEMORY = 6 << 30
"""Bytes that volumes in work may need together; a larger volume is read alone."""
_NEEDED = 5  # bytes in work per byte of a volume as float32: with Otsu's threshold, measured on 512 voxels cubed


@dataclass(frozen=True)
class IngestReport:
    """table: what was written. used: number of volumes in it. skipped: (volume, reason) of the others.

    resumed: how many of the used had been read before an interruption.
    """

    table: SliceTable
    used: int
    skipped: tuple[tuple[str, str], ...]
    resumed: int = 0

    @property
    def found(self) -> int:
        """Volumes used and skipped."""
        return self.used + len(self.skipped)


@dataclass(frozen=True)
class _Kept:
    key: str
    files: Files
    resumed: bool


def ingest(
    source: Source,
    out: Path,
    preprocessing: Preprocessing,
    *,
    workers: int | None = None,
    progress: Told | None = None,
    memory: int = MEMORY,
) -> IngestReport:
    """Read all volumes of a source into the table `out`; the same files and options give the same bytes.

    workers: threads, by default one per core this process may use. Threads suffice, since nearly all the time goes to
    ISA-L, NumPy and OpenCV, which run side by side, and nothing is copied between processes. memory: see MEMORY.
    Volumes are staged as they are finished, so that a call after an interruption reads only the others. Raises
    BadInput, and leaves `out` as it was, when no volume can be used or another ingest writes the same table.
    """
    if not source.name or "/" in source.name or not source.name.isprintable():
        raise BadInput(f"dataset name {source.name!r}: expected a printable name without a slash")
    out = place(out)
    require_replaceable(out)  # before hours are spent on reading
    files = [_printable(file) for file in source.volumes()]
    workers = workers or min(usable_cores(), len(files))
    keep_freed_memory(threads=True)  # or each volume's would be asked for, and cleared, anew: a tenth of the time
    digest = sha256()
    kept: list[_Kept] = []
    skipped: list[tuple[str, str]] = []
    notes: list[tuple[str, str]] = []
    with Stage(out) as stage:
        work = _Work(stage, preprocessing, memory)
        stage.keep({key for file in files if (key := work.key(file))})
        for done, (file, read) in enumerate(_in_order(files, work.read, workers), start=1):
            if isinstance(read, _Kept):
                kept.append(read)
                digest.update(repr((file.volume, read.files)).encode())
                notes += [(file.volume, file.note)] if file.note else []
            else:
                skipped.append((file.volume, read))
            if progress:
                progress(done, len(files), file.volume)
        if not kept:
            name, reason = skipped[0]
            raise BadInput(f"none of {len(files)} volumes can be used; the first, {name}: {reason}")
        described = source.describe() | ({"notes": notes} if notes else {})
        metadata = TableMetadata(asdict(preprocessing), described, digest.hexdigest(), tuple(skipped))
        write_batches(out, (stage.batch(one.key) for one in kept), metadata)
        stage.keep(())
    return IngestReport(open_table(out), len(kept), tuple(skipped), sum(one.resumed for one in kept))


def _in_order(
    files: list[VolumeFile], read: Callable[[VolumeFile], _Kept | str], workers: int
) -> Iterator[tuple[VolumeFile, _Kept | str]]:
    """Each volume with what was read, or why it was skipped; in the given order, whichever is ready first."""
    ahead: deque[tuple[VolumeFile, Future[_Kept | str]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ingest")
    try:
        for file in files:
            if len(ahead) >= 2 * workers:
                first, future = ahead.popleft()
                yield first, future.result()
            ahead.append((file, pool.submit(read, file)))
        for file, future in ahead:
            yield file, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Work:
    """What a thread does with one volume, within memory that all threads share."""

    def __init__(self, stage: Stage, preprocessing: Preprocessing, memory: int) -> None:
        self._stage = stage
        self._preprocessing = preprocessing
        self._memory = memory
        self._in_use = 0
        self._freed = Condition()

    def key(self, file: VolumeFile) -> str:
        """The name of its piece; empty where it has none."""
        try:
            return "" if file.fault else piece_key(file, self._preprocessing)
        except OSError:
            return ""

    def read(self, file: VolumeFile) -> _Kept | str:
        """Stage one volume, or say why it cannot be used."""
        if file.fault:
            return file.fault
        key = self.key(file)
        if key and (files := self._stage.files(key)) is not None:
            return _Kept(key, files, resumed=True)
        try:
            with self._within_memory(_NEEDED * claimed_size(file.image)):
                return self._fresh(key, file)
        except BadVolume as mistake:
            return _without_folders(str(mistake), file)
        except MemoryError:
            return f"{file.image.name}: does not fit into memory"

    def _fresh(self, key: str, file: VolumeFile) -> _Kept:
        image = read_volume(file.image)
        mask, used = None, [(file.image, image.digest)]
        if file.mask is not None:
            mask, digest = read_mask(file.mask, image, file.labels, on_grid=file.mask_on_grid)
            used.append((file.mask, digest))
            if file.anomalous is not None and mask.any() != file.anomalous:
                held, told = ("no voxel", "has one") if file.anomalous else ("an anomaly", "has none")
                raise BadVolume(f"{file.mask}: holds {held}, while the volume's own label says that it {told}")
        slices = preprocess(file, image, mask, self._preprocessing)
        files = tuple((path.name, path.stat().st_size, digest) for path, digest in used)
        self._stage.add(key, slices, files)
        return _Kept(key, files, resumed=False)

    @contextmanager
    def _within_memory(self, needed: int) -> Iterator[None]:
        """Wait until there is room, or nothing else is in work."""
        with self._freed:
            self._freed.wait_for(lambda: not self._in_use or self._in_use + needed <= self._memory)
            self._in_use += needed
        try:
            yield
        finally:
            with self._freed:
                self._in_use -= needed
                self._freed.notify_all()


def _printable(file: VolumeFile) -> VolumeFile:
    """A name with a line break, say, would spoil every list it stands in."""
    volume, subject = printable(file.volume), printable(file.subject)
    if (volume, subject) == (file.volume, file.subject):
        return file
    return replace(file, volume=volume, subject=subject, fault=UNPRINTABLE)


def _without_folders(reason: str, file: VolumeFile) -> str:
    # The reason becomes part of the table, whose digest must not change with the place of the data.
    for path in (file.image, file.mask):
        reason = reason.replace(str(path), path.name) if path else reason
    return reason
