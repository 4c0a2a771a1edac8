"""Files that are either whole or absent: written under a temporary name, flushed, then renamed."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

from core.mirror import publish

_LONG, _SHORT = 200, 50  # bytes of a name to which more can be added; characters that are never more bytes than those


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it becomes `path`, on any error it is removed.

    Readers see the old file or the new one, never a part, also when the process is killed or the disk is full. A copy
    of something on object storage is uploaded at the end. Raises BadStorage when that fails.
    """
    with temporary_of(path) as temporary:
        yield temporary
        put(temporary, path)


@contextmanager
def temporary_of(path: Path) -> Iterator[Path]:
    """A temporary name beside a path that is to be written, in a folder that is there; gone at the end.

    Whoever writes gives it its name by `put`. What the system says when it refuses, as of a full disk, is told of
    `path`: libraries name the temporary file, or none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = beside(path)
    try:
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)  # which a disk that can only be read refuses as well
    except OSError as refused:
        if refused.errno and refused.filename in (None, str(temporary)):
            raise OSError(refused.errno, os.strerror(refused.errno), str(path)) from refused
        raise


def beside(path: Path) -> Path:
    """A temporary name in the folder of a path that is to be written, also where its own is as long as names can be."""
    return path.with_name(f"{_beginning(path)}{uuid4().hex}.tmp")


def remove_left(path: Path) -> None:
    """Remove what killed processes left of a path that they were writing. Nobody may be writing it now."""
    for left in path.parent.glob(f"{escape(_beginning(path))}{'?' * 32}.tmp"):
        left.unlink()


def _beginning(path: Path) -> str:
    return f".{path.name if len(os.fsencode(path.name)) <= _LONG else path.name[:_SHORT]}."


def put(temporary: Path, path: Path) -> None:
    """Flush a file that is written and give it its name. Raises BadStorage when it cannot be uploaded."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    publish(path)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically. Raises ValueError on NaN and infinity, which JSON does not have."""
    content = _json(value)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def update_json(path: Path, value: Any) -> None:
    """As `write_json`, but a file that holds this already is left alone: its time says when its content changed.

    path: on object storage, a copy that was fetched before.
    """
    if not path.is_file() or path.read_bytes() != _json(value):
        write_json(path, value)


def _json(value: Any) -> bytes:
    text = json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")  # bytes of a file's name that are no text: \udcff, as JSON has it
