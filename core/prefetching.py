"""One item ahead: the next one is made in a thread while the consumer works on this one."""

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """The same items in the same order; at most two are in the making or waiting.

    An error while one is made is raised here, after the items before it. Closing the generator ends the thread.
    """
    waiting: queue.Queue[tuple[bool, object]] = queue.Queue(maxsize=1)
    stopped = threading.Event()

    def put(finished: bool, what: object) -> bool:
        while not stopped.is_set():
            with suppress(queue.Full):
                waiting.put((finished, what), timeout=0.1)
                return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(False, item):
                    return
        except BaseException as error:  # noqa: BLE001 - it belongs to the consumer
            put(True, error)
        else:
            put(True, None)

    maker = threading.Thread(target=make, name="prefetch", daemon=True)
    maker.start()
    try:
        while True:
            finished, what = waiting.get()
            if not finished:
                yield what  # type: ignore[misc]
            elif isinstance(what, BaseException):
                raise what
            else:
                return
    finally:
        stopped.set()
        maker.join()
