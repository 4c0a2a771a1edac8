"""Memory of the process that trains: a limit of its own, and errors that say that there was not enough."""

import errno
from functools import cache
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")


def limit(size: int) -> None:
    """Let this process allocate so many bytes beyond what it has; what asks for more gets an error, and no other harm.

    Counted is what was allocated rather than what was touched, so memory shared with others does not. Linux alone has
    such a limit; elsewhere nothing happens.
    """
    if not _STATUS.exists():
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _at_first() + size
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard < 0 else min(wanted, hard), hard))


@cache
def _at_first() -> int:
    """Allocated by Python, torch and Ray before the first training of this process; it serves several."""
    line = next(line for line in _STATUS.read_text(encoding="utf-8").splitlines() if line.startswith("VmData"))
    return int(line.split()[1]) * 1024


def lacking(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice, on the host or on a GPU."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    # The host's allocator in torch raises a plain RuntimeError.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
