"""The Optuna journal file. A line that a crash or a full disk tore is cut off before another is written after it.

Optuna reads a journal up to a torn last line, but refuses one in which other lines follow it.
"""

import json
import os
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend

from core.console import out
from core.errors import BadStorage, BadStudy, Overtaken
from core.mirror import address, is_remote
from study.segments import Segments

_TAIL = 1 << 20  # far longer than any line


def reading(path: Path) -> BaseStorage | None:
    """A journal for reading while another process may write to it; None where there is none."""
    if not is_remote(path) and not path.is_file():
        return None
    return JournalStorage(_Downloaded(path) if is_remote(path) else _Read(path, path))


class _Read(JournalFileBackend):
    """A journal whose damaged lines are told by file and number. journal: the file as the study knows it."""

    def __init__(self, journal: Path, file: Path) -> None:
        self._journal = journal
        super().__init__(str(file))

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Events from this number on, one a line. Raises BadStudy for a line that is none, except a torn last one.

        Raises BadStorage when the file is gone.
        """
        number = log_number_from
        try:
            for event in super().read_logs(log_number_from):
                if not isinstance(event, dict):
                    raise TypeError(event)
                number += 1
                yield event
        except FileNotFoundError:
            raise self._gone() from None
        except (ValueError, TypeError):
            where = f"{address(self._journal)}: line {number + 1} is damaged"
            raise BadStudy(f"{where}; expected an event of an Optuna journal") from None

    def _gone(self) -> BadStorage:
        return BadStorage(f"{address(self._journal)}: is gone, as when its folder was moved or deleted")


class _Downloaded(_Read):
    """A copy of a journal on object storage. Not the driver's own, which a driver on this machine may be writing to."""

    def __init__(self, journal: Path) -> None:
        self._folder = TemporaryDirectory()  # goes when nobody reads it any more
        copy = Path(self._folder.name) / journal.name
        Segments(journal).read(copy)
        super().__init__(journal, copy)


class Journal(_Read):
    """One line of JSON per event, for the one process that writes, which `StudyLock` is for.

    Of a study on object storage, the truth is there: the file is made anew from it, and an event counts when it has
    been uploaded. Raises BadStudy when the file is no journal, BadStorage when object storage does not answer.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._segments = Segments(path) if is_remote(path) else None
        if self._segments:
            self._segments.read(path)
        self.path = path
        # A writer that was killed in the middle may have left its lock, and no other process writes now. Optuna would
        # wait for it: half a minute, or for ever where the path is relative, as its lock links to it from beside it.
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        super().__init__(path, path.absolute())
        self._cut()

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append whole lines or nothing.

        Raises OSError or BadStorage where storage is full or gone, Overtaken when another driver has written there.
        """
        try:
            before = self.path.stat().st_size
        except FileNotFoundError:
            raise self._gone() from None
        try:
            super().append_logs(logs)
            if self._segments:
                with self.path.open("rb") as file:
                    file.seek(before)
                    self._segments.append(file.read())
        except (OSError, BadStorage, Overtaken):
            if self.path.stat().st_size > before:
                os.truncate(self.path, before)
            raise

    def _cut(self) -> None:
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            file.seek(max(0, size - _TAIL))
            lines = file.read().splitlines(keepends=True)
        torn = len(lines.pop()) if lines and not lines[-1].endswith(b"\n") else 0
        try:
            json.loads(lines[-1] if lines else b"{}")
        except ValueError:
            raise BadStudy(f"{self.path}: its last line is not JSON; expected an Optuna journal") from None
        if torn:
            os.truncate(self.path, size - torn)
            out.print(f"{self.path}: {torn} bytes of a torn line cut off; the event was not recorded", markup=False)
