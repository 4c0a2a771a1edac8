"""Which process is that, and does it live? Process numbers are used again, on this machine and on others."""

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def lives_here(holder: Mapping[str, Any]) -> bool | None:
    """Whether a process lives, as `this_process` named it there; None where that is another machine."""
    if holder.get("boot") != boot():
        return None
    since = started(holder["pid"])
    return since is not None and since == holder["started"]


def this_process() -> dict[str, Any]:
    """Names this process for all time, as plain data."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "boot": boot(), "pid": pid, "started": started(pid)}


def boot() -> str:
    """Names this start of this machine, or this container's machine: process numbers mean nothing elsewhere."""
    try:
        pids = str(Path("/proc/self/ns/pid").readlink())
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip() + pids
    except OSError:
        return socket.gethostname()


def started(pid: int) -> int | None:
    """When a process began, in ticks since the machine did; None when there is no such process.

    Process numbers are used again; with this time they are unique. Where there is no /proc it is always 0.
    """
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return 0
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        fields = stat.rsplit(")", 1)[1].split()
        return None if fields[0] == "Z" else int(fields[19])
    except OSError:
        return None


@contextmanager
def outliving_its_folder(stopped: threading.Event) -> Iterator[None]:
    """Around Tune, which asks for this process's folder once more when all has been told.

    Ray throws a job's folder away as soon as the job is stopped. stopped: set when this process was asked to end.
    """
    try:
        yield
    except FileNotFoundError:
        if not stopped.is_set() or _has_folder():
            raise


def _has_folder() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True
