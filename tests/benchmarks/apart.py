"""Ways that are compared, each in its own process: what one of them asks of its process must not help the other."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any


@contextmanager
def apart(make: Callable[..., Iterator[Any]], *arguments: Any) -> Iterator[Callable[[], tuple[Any, float]]]:
    """Each call lets the iterator take one step in its process; it returns what came and the seconds it took there."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, make, arguments), daemon=True)
    process.start()
    there.close()

    def step() -> tuple[Any, float]:
        here.send(None)
        found: tuple[Any, float] = here.recv()
        return found

    try:
        yield step
    finally:
        here.close()
        process.join()


def _serve(pipe: Connection, make: Callable[..., Iterator[Any]], arguments: tuple[Any, ...]) -> None:
    steps = make(*arguments)
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        began = time.perf_counter()
        found = next(steps)
        pipe.send((found, time.perf_counter() - began))
