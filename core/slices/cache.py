"""Copies of slice tables on a node's own disk: fetched once, however many trials want them, and checked always."""

import fcntl
import shutil
from pathlib import Path

from core.durable import replacing
from core.errors import BadTable
from core.mirror import cache_folder, download, is_remote, names, place
from core.slices.shards import shard_folder
from core.slices.table import SliceTable, open_table


def open_cached(address: str | Path, digest: str, cache: Path | None = None) -> SliceTable:
    """The table with this digest, from a copy on this node's disk; made anew when it is not there, or is damaged.

    address: of the original. cache: folder of copies, named by content; None is the cache folder for an original on
    object storage, while any other original is then opened where it lies. Processes of one node take turns under a
    lock, so that one fetches and the others wait. Raises BadTable when the original is another one or damaged itself.
    """
    original = place(address)
    if cache is None and not is_remote(original):
        return open_table(original, digest=digest)
    cache = cache or cache_folder() / "tables"
    cache.mkdir(parents=True, exist_ok=True)
    copy = cache / f"{digest}.arrow"
    with (cache / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return open_table(copy, digest=digest, verify=True)
        except BadTable:
            for shard in names(shard_folder(original)):
                _copy(shard_folder(original) / shard, shard_folder(copy) / shard)
            _copy(original, copy)
            try:
                return open_table(copy, digest=digest, verify=True)
            except BadTable as wrong:
                copy.unlink()
                shutil.rmtree(shard_folder(copy), ignore_errors=True)
                raise BadTable(str(wrong).replace(str(copy), str(address))) from None


def _copy(original: Path, copy: Path) -> None:
    with replacing(copy) as temporary:
        if is_remote(original):
            download(original, temporary)
        else:
            shutil.copyfile(original, temporary)
