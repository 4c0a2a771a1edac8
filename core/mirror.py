"""Object storage (`s3://bucket/runs/mine`) as folders: each object has a copy on this machine's own disk.

The copy of `s3://bucket/key` lies under the cache folder, so that all else works on paths: `place` gives the copy's
path, `address` the way back. `fetch` downloads what changed, `publish` uploads; for other paths both do nothing. Files
that are written whole (core.durable) are published before anybody is told of them. Credentials and the server come from
the environment alone (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL), or from the machine's
role.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

from pyarrow import fs

from core.errors import BadStorage

SCHEME = "s3"


def cache_folder() -> Path:
    """Where this machine keeps copies: `$XDG_CACHE_HOME`, by default `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").resolve() / "pseudo-outlier-study"


def place(address: str | Path) -> Path:
    """The local path of an address: of the copy for `s3://...`, else the path itself.

    Raises BadStorage for an address without a bucket, or with a password in it.
    """
    parts = Path(address).parts
    if not parts or parts[0] != f"{SCHEME}:":
        return Path(address)
    if len(parts) < 2 or "@" in parts[1]:
        raise BadStorage(
            f"{address}: expected s3://BUCKET/FOLDER; credentials belong into the environment (AWS_ACCESS_KEY_ID)"
        )
    return cache_folder().joinpath(SCHEME, *parts[1:])


def address(path: Path) -> str:
    """The inverse of `place`: what another machine needs to find the same thing."""
    key = _key(path)
    return f"{SCHEME}://{key}" if key else str(path)


def is_remote(path: Path) -> bool:
    """Whether a path is a copy of something on object storage."""
    return _key(path) is not None


def fetch(path: Path) -> Path:
    """Make the copy of a file or folder equal to the original, whichever of both it is; absent ones vanish here too.

    Only files whose size or time differ are downloaded; what is hidden, or in a hidden folder, was never uploaded and
    stays. Raises BadStorage when the storage does not answer.
    """
    key = _key(path)
    if key is None:
        return path
    with _told(key):
        found = filesystem().get_file_info(key)
        files = {path: found} if found.type == fs.FileType.File else {}
        if found.type == fs.FileType.Directory:
            listed = filesystem().get_file_info(fs.FileSelector(key, recursive=True, allow_not_found=True))
            files = {path / Path(one.path).relative_to(key): one for one in listed if one.type == fs.FileType.File}
        for copy, info in files.items():
            _download(info, copy)
    kept = path.rglob("*") if path.is_dir() else (path,)
    for copy in [copy for copy in kept if copy.is_file() and copy not in files and "/." not in str(_key(copy))]:
        copy.unlink()
    return path


def download(path: Path, target: Path) -> None:
    """Write the original of a copy to another place. Raises BadStorage when it is not there."""
    key = str(_key(path))
    with _told(key), filesystem().open_input_stream(key) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)


def size(address: str) -> int | None:
    """Bytes of a file, as this machine sees it; None where it does not."""
    path = place(address)
    key = _key(path)
    if key is None:
        return path.stat().st_size if path.is_file() else None
    try:
        with _told(key):
            found = filesystem().get_file_info(key)
    except BadStorage:
        return None
    return int(found.size) if found.type == fs.FileType.File else None


def read(path: Path) -> bytes | None:
    """The original of a copy as it is now, whatever the copy is; None where there is none."""
    key = str(_key(path))
    with _told(key):
        try:
            with filesystem().open_input_stream(key) as source:
                return bytes(source.read())
        except FileNotFoundError:
            return None


def write(path: Path, content: bytes) -> None:
    """Overwrite the original of a copy, and leave the copy alone."""
    key = str(_key(path))
    with _told(key), filesystem().open_output_stream(key) as target:
        target.write(content)


def publish(path: Path) -> None:
    """Upload a file, or every file of a folder; nothing with a hidden name. Raises BadStorage when that is refused."""
    key = _key(path)
    if key is None or "/." in key:
        return
    with _told(key):
        for copy in sorted(copy for copy in path.rglob("*") if copy.is_file()) if path.is_dir() else [path]:
            original = key if copy == path else f"{key}/{copy.relative_to(path).as_posix()}"
            with copy.open("rb") as source, filesystem().open_output_stream(original) as target:
                shutil.copyfileobj(source, target, 1 << 20)
            _like(copy, filesystem().get_file_info(original))


def withdraw(path: Path) -> None:
    """Delete a file or folder there and here. Raises BadStorage when the storage refuses."""
    key = _key(path)
    if key is not None:
        with _told(key):
            kind = filesystem().get_file_info(key).type
            if kind == fs.FileType.Directory:
                filesystem().delete_dir(key)
            elif kind == fs.FileType.File:
                filesystem().delete_file(key)
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def names(folder: Path) -> list[str]:
    """Names of the files and folders in a folder, sorted, hidden ones left out; none where there is no such folder."""
    key = _key(folder)
    if key is None:
        found = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    else:
        with _told(key):
            listed = filesystem().get_file_info(fs.FileSelector(key, allow_not_found=True))
        found = [one.base_name for one in listed]
    return sorted(name for name in found if not name.startswith("."))


@cache
def filesystem() -> fs.FileSystem:
    """The S3-compatible storage that the environment names."""
    server = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return fs.S3FileSystem(endpoint_override=server) if server else fs.S3FileSystem()


def _key(path: Path) -> str | None:
    try:
        return path.relative_to(cache_folder() / SCHEME).as_posix()
    except ValueError:
        return None


def _download(info: fs.FileInfo, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    with (copy.parent / f".{copy.name}.lock").open("w") as lock:
        # Processes of one machine take turns, so that one fetches and the others find it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if copy.is_file() and (copy.stat().st_size, copy.stat().st_mtime_ns) == (info.size, info.mtime_ns):
            return
        temporary = copy.with_name(f".{copy.name}.{uuid4().hex}.tmp")
        try:
            download(copy, temporary)
            _like(temporary, info)
            temporary.replace(copy)
        finally:
            temporary.unlink(missing_ok=True)


def _like(copy: Path, info: fs.FileInfo) -> None:
    """Equal sizes and times are how a copy is known to be current."""
    os.utime(copy, ns=(info.mtime_ns, info.mtime_ns))


@contextmanager
def _told(key: str) -> Iterator[None]:
    """Arrow tells of everything that storage refuses as an OSError with a long text and no number."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is not None:
            raise  # this machine's own disk
        reason = str(error).split(" (Request ID")[0]
        raise BadStorage(f"{SCHEME}://{key}: {reason}") from None
