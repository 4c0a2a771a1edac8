"""One driver per study. The lock is a file in the study's folder that its holder keeps touching.

No clock is compared with another: whether a holder on another machine lives is seen by watching its touches. A study on
object storage has a lock there besides.
"""

import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from core.console import err, out
from core.errors import BadStorage, BadStudy
from core.mirror import address, is_remote, read, withdraw, write
from study.processes import lives_here, this_process

BEAT = 5.0  # seconds between touches
PATIENCE = 4  # beats that are waited for before a holder on another machine counts as gone
SETTLING = 2.0  # seconds in which two writers to object storage see each other

Holder = dict[str, Any]


class Driver(NamedTuple):
    """Who holds a study, in words. lives: None for a process on another machine."""

    words: str
    lives: bool | None


def driver(folder: Path) -> Driver | None:
    """The driver that holds a study, None where nobody does; nothing is waited for or taken over."""
    place = LockObject(folder / "driver" / "lock") if is_remote(folder) else LockFile(folder / "driver.lock")
    if (holder := place.holder()) is None:
        return None
    lives = lives_here(holder)
    return Driver(f"process {holder['pid']} on {holder['host']}{', which is gone' if lives is False else ''}", lives)


class StudyLock:
    """Held while the `with` block runs. Raises BadStudy when a living driver holds it.

    A lock whose process is gone is taken over, and that is said. lost: set when another driver has taken this one over,
    as after this machine was cut off for long: its holder must stop writing.
    """

    def __init__(self, folder: Path, lost: threading.Event) -> None:
        self.folder, self.lost = folder, lost
        self._places: list[LockFile | LockObject] = [LockFile(folder / "driver.lock")]
        if is_remote(folder):
            self._places.append(LockObject(folder / "driver" / "lock"))
        self._mine = {"token": uuid4().hex, **this_process()}
        self._ended = threading.Event()
        self._beating = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "StudyLock":
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            for place in self._places:
                self._take(place)
        except BaseException:
            self._give_up()
            raise
        self._beating.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._beating.join()
        self._give_up()

    def _take(self, place: "LockFile | LockObject") -> None:
        while not place.take(self._mine):
            holder = place.holder()
            if holder is None:
                continue
            if _lives(holder, place):
                raise BadStudy(
                    f"{address(self.folder)}: process {holder['pid']} on {holder['host']} carries this study out; stop "
                    f"it or wait for it, or give another --study name"
                )
            if place.remove(holder):
                out.print(f"took over from process {holder['pid']} on {holder['host']}, which is gone", markup=False)

    def _give_up(self) -> None:
        for place in self._places:
            with suppress(OSError, BadStorage):  # a lock that stays behind is taken over by the next driver
                place.remove(self._mine)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            for place in self._places:
                try:
                    if not place.touch(self._mine):
                        gone = "its lock is gone, as when its folder was moved or deleted"
                        why = "another driver has taken this study over" if place.holder() else gone
                        err.print(f"{address(self.folder)}: {why}; stopping", style="yellow", markup=False)
                        self.lost.set()
                        return
                except (OSError, BadStorage):
                    continue  # storage that is away for a moment is no reason to give the study up


class LockFile:
    """A lock on a file system: a file that only one process can create."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self, mine: Holder) -> bool:
        """True when it was free."""
        try:
            with self.path.open("x", encoding="utf-8") as file:
                json.dump(mine, file)
        except FileExistsError:
            return False
        except OSError:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)  # on a full disk, the name without its content
            raise
        return True

    def holder(self) -> Holder | None:
        """Who holds the lock; None when it has just been given up."""
        try:
            return _read(self.path.read_bytes())
        except FileNotFoundError:
            return None

    def remove(self, holder: Holder) -> bool:
        """Move this holder's lock away, unless another driver has done so in the meantime."""
        if not _is(holder, self.holder()):
            return False
        away = self.path.with_name(f".{self.path.name}.{uuid4().hex}")
        try:
            self.path.rename(away)
        except FileNotFoundError:
            return False
        moved = _is(holder, _read(away.read_bytes()))
        if not moved:  # between the look and the move, another driver removed this lock and took its own
            with suppress(OSError):  # where it cannot go back, its holder misses it at the next touch and stops
                os.link(away, self.path)
        away.unlink()
        return moved

    def touch(self, mine: Holder) -> bool:
        """Show that the holder lives; False when the lock is another's now."""
        if not _is(mine, self.holder()):
            return False
        os.utime(self.path)
        return True

    def touched(self) -> object:
        """Changes with every touch."""
        try:
            # NFS answers a plain stat from what it knows, for minutes where it is told to; on opening it asks.
            with self.path.open("rb") as file:
                return os.fstat(file.fileno()).st_mtime_ns
        except FileNotFoundError:
            return None


class LockObject(LockFile):
    """A lock on object storage, which overwrites and deletes without asking. It is held by who still has it later."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._removed = False

    def take(self, mine: Holder) -> bool:
        """True when it was free, and nobody wrote over it in the time that two writers may need.

        After the lock of another was removed, that is longer than a beat: between the look and the deletion a third
        driver may have taken its place, which then misses its own lock and stops before this one begins.
        """
        if self.holder() is not None:
            return False
        self._write(mine)
        time.sleep(SETTLING + BEAT if self._removed else SETTLING)
        return _is(mine, self.holder())

    def holder(self) -> Holder | None:
        """Who holds the lock; None when it is free."""
        content = read(self.path)
        return None if content is None else _read(content)

    def remove(self, holder: Holder) -> bool:
        """Delete this holder's lock, unless another driver has it now."""
        if not _is(holder, self.holder()):
            return False
        withdraw(self.path)
        self._removed = True
        return True

    def touch(self, mine: Holder) -> bool:
        """Write it again, with another count."""
        if not _is(mine, self.holder()):
            return False
        self._write(mine | {"beat": uuid4().hex})
        return True

    def touched(self) -> object:
        """Changes with every touch."""
        return self.holder()

    def _write(self, mine: Holder) -> None:
        write(self.path, json.dumps(mine).encode())


def _is(holder: Holder, found: Holder | None) -> bool:
    return found is not None and found["token"] == holder["token"]


def _read(content: bytes) -> Holder:
    nobody = {"pid": "?", "host": "?", "token": ""}
    try:
        found: Holder = nobody | json.loads(content)
        return found
    except (ValueError, TypeError):
        return nobody


def _lives(holder: Holder, place: LockFile) -> bool:
    if (here := lives_here(holder)) is not None:
        return here
    seen = place.touched()
    for _ in range(PATIENCE):
        time.sleep(BEAT)
        if place.touched() != seen:
            return True
    return False
