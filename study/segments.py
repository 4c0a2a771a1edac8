"""A journal on object storage, where nothing can be appended to: its bytes in objects named by their offset.

Only the last object is ever written again, whole, until it is full; so every event costs one small upload, and reading
thousands of trials costs some hundred downloads. Before the upload the object is read: a driver that was cut off for
long, or that kept its lock by touching it at the moment when another took it over, would write over the other's events.
What another stores between that reading and the end of the upload would still be lost: Arrow cannot upload on a
condition.
"""

from pathlib import Path

from core.errors import BadStorage, BadStudy, Overtaken
from core.mirror import address, names, read, write

FULL = 1 << 18  # bytes


class Segments:
    """The objects `journal.log.d/000000000000`, ... beside a journal. One process at a time writes.

    Raises BadStorage when the storage does not answer.
    """

    def __init__(self, journal: Path) -> None:
        self.folder = journal.with_name(f"{journal.name}.d")
        self._start, self._open = 0, b""
        self._doubtful = set[bytes]()  # uploads that were refused: the storage may hold one whose answer was lost

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
        """Add to the journal's end; on an error nothing was added here.

        Raises Overtaken, and writes nothing, when the journal's end is not what this process read or wrote last.
        """
        start, before = self._start, self._open
        if len(before) >= FULL:
            start, before = start + len(before), b""
        last, content = self.folder / f"{start:012d}", before + data
        if (read(last) or b"") not in {before, *self._doubtful}:
            raise Overtaken(f"{address(self.folder.parent)}: another driver has written to this study")
        try:
            write(last, content)
        except BadStorage:
            self._doubtful.add(content)
            raise
        self._start, self._open, self._doubtful = start, content, set()
