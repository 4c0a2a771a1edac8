"""Memory that a process keeps for its next step, or volume, instead of handing it back to the system after each one.

The C library asks the system for every tensor of 32 MiB and more, and returns it when it is freed. At the paper's size
that is each of the largest activations: 150,000 pages a step that the system clears and maps again, up to a fourth of
the time of a training step on a CPU.
"""

import ctypes
import platform
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # of mallopt(3)


@cache
def keep_freed_memory(*, threads: bool = False) -> bool:
    """Let the C library reuse what is freed, from now on; whether it could be told so: glibc alone can.

    The process then holds the most memory that it ever had at a time. What tensors hold does not depend on it. Threads
    other than the main one allocate elsewhere, where it hardly holds, unless the process began with MALLOC_ARENA_MAX=1
    or `threads` was asked for before they began: then all share one heap, and wait for each other where they allocate.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    shared = not threads or mallopt(_M_ARENA_MAX, 1)
    return bool(shared and mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1))
