"""Processes that warm up, begin together, and are over when the slowest is."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from typing import Any

PATIENCE = 600  # seconds until a process that never came is an error
Work = Callable[..., Iterator[Any]]
"""Warms up, then yields for the first time; from there on it is timed to its end."""


def together(count: int, work: Work, *arguments: Any) -> float:
    """Seconds in which so many processes do this work, each the whole of it."""
    fresh = multiprocessing.get_context("forkserver")
    gate = fresh.Barrier(count + 1)
    workers = [fresh.Process(target=_run, args=(work, arguments, gate)) for _ in range(count)]
    for worker in workers:
        worker.start()
    gate.wait(PATIENCE)
    began = time.perf_counter()
    gate.wait()
    spent = time.perf_counter() - began
    for worker in workers:
        worker.join()
    return spent


def _run(work: Work, arguments: tuple[Any, ...], gate: Barrier) -> None:
    try:
        doing = work(*arguments)
        next(doing)
        gate.wait()
        for _ in doing:
            pass
        gate.wait()
    except BaseException:
        gate.abort()  # or all the others would wait for this one
        raise
