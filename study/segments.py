"""A journal on object storage, where nothing can be appended to: its bytes in objects named by their offset.

Only the last object is ever written again, whole, until it is full; so every event costs one small upload, and reading
thousands of trials costs some hundred downloads.
"""

from pathlib import Path

from core.errors import BadStudy
from core.mirror import address, names, read, write

FULL = 1 << 18  # bytes


class Segments:
    """The objects `journal.log.d/000000000000`, ... beside a journal. One process at a time writes.

    Raises BadStorage when the storage does not answer.
    """

    def __init__(self, journal: Path) -> None:
        self.folder = journal.with_name(f"{journal.name}.d")
        self._start, self._open = 0, b""

    def read(self, target: Path) -> None:
        """Write the whole journal into a file. Raises BadStudy when a part of it is missing."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self._start, self._open = 0, b""
        with target.open("wb") as file:
            for name in names(self.folder):
                if int(name) != self._start + len(self._open):
                    raise BadStudy(f"{address(self.folder)}: the part before {name} is missing or was changed")
                self._start, self._open = int(name), read(self.folder / name) or b""
                file.write(self._open)

    def append(self, data: bytes) -> None:
        """Add to the journal's end; on an error nothing was added here."""
        start, content = self._start, self._open + data
        if len(self._open) >= FULL:
            start, content = self._start + len(self._open), data
        write(self.folder / f"{start:012d}", content)
        self._start, self._open = start, content
