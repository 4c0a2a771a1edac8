"""Copies of slice tables on a node's own disk, named by content: fetched once, however many trials want them."""

import fcntl
import shutil
from pathlib import Path

from core.durable import replacing
from core.errors import BadTable
from core.slices.table import SliceTable, open_table


def open_cached(path: Path, digest: str, cache: Path) -> SliceTable:
    """The table with this digest, from `cache`; copied there from `path` when it is not there, or is damaged.

    Processes of one node take turns under a lock of the local disk, so that one fetches and the others wait. Raises
    BadTable when the table at `path` is another one or damaged itself.
    """
    cache.mkdir(parents=True, exist_ok=True)
    copy = cache / f"{digest}.arrow"
    with (cache / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return open_table(copy, digest=digest, verify=True)
        except BadTable:
            open_table(path, digest=digest)
            with replacing(copy) as temporary:
                shutil.copyfile(path, temporary)
            return open_table(copy, digest=digest, verify=True)
