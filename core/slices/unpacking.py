"""The bytes of a file that may be gzip-compressed, front to back, with no more than a chunk or two in memory."""

import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import BadVolume

CHUNK = 1 << 20
"""Bytes of a piece after unpacking, however small it was packed."""
_BLOCK = 1 << 18  # bytes read from the file at a time
_BEYOND = 1 << 24
_GZIP = 16 + 15  # zlib's code for a gzip header with the largest window

Inflater = Callable[[int], Any]
"""`zlib.decompressobj`, or the same of another library."""


class Content:
    """What a file holds, behind its gzip compression if `inflater` is given.

    wanted: how many bytes the reader expects in all, for the sentence when there are fewer. unpacked: how many there
    were so far. Raises BadVolume where the compression is cut short or zlib finds it damaged, and whatever error
    another library has for damage.
    """

    def __init__(self, path: Path, file: BinaryIO, inflater: Inflater | None) -> None:
        self.wanted = 0
        self.unpacked = 0
        self._path = path
        self._file = file
        self._digest = sha256()
        self._chunks = self._inflated(inflater) if inflater else self._stored()
        self._ahead = memoryview(b"")

    def peek(self, size: int) -> bytes:
        """The next bytes, fewer than `size` only at the end; they are still there to be read."""
        while len(self._ahead) < size and (chunk := self._next()):
            self._ahead = memoryview(bytes(self._ahead) + chunk)
        return bytes(self._ahead[:size])

    def fill(self, buffer: memoryview) -> int:
        """Fill a buffer of bytes with the next ones; how many there were, fewer than fit only at the end."""
        filled = 0
        while filled < len(buffer) and (part := self._some(len(buffer) - filled)):
            buffer[filled : filled + len(part)] = part
            filled += len(part)
        return filled

    def skip(self, size: int) -> None:
        """Pass over the next bytes."""
        while size > 0 and (part := self._some(size)):
            size -= len(part)

    def finish(self) -> str:
        """SHA-256 of the whole file as stored.

        Raises BadVolume when the check sum behind what was read is wrong; one that stands more than 16 MiB behind it is
        not looked at, so that a bomb is not unpacked.
        """
        beyond = 0
        while beyond < _BEYOND and (chunk := next(self._chunks, b"")):
            beyond += len(chunk)
        for _ in self._stored():
            pass
        return self._digest.hexdigest()

    def _next(self) -> bytes:
        """The next piece, empty at the end."""
        chunk = next(self._chunks, b"")
        self.unpacked += len(chunk)
        return chunk

    def _some(self, most: int) -> memoryview:
        """The next bytes, as many as lie ready but not more than `most`; none at the end."""
        if not self._ahead:
            self._ahead = memoryview(self._next())
        part, self._ahead = self._ahead[:most], self._ahead[most:]
        return part

    def _stored(self) -> Iterator[bytes]:
        while block := self._file.read(_BLOCK):
            self._digest.update(block)
            yield block

    def _inflated(self, inflater: Inflater) -> Iterator[bytes]:
        stream = inflater(_GZIP)
        try:
            for block in self._stored():
                packed = block
                while packed:
                    if stream is None:
                        # Another member, or padding: what is neither is ignored, as gzip does.
                        packed = packed.lstrip(b"\0")
                        if packed[:1] != b"\x1f":
                            if packed:
                                return
                            break
                        stream = inflater(_GZIP)
                    if part := stream.decompress(packed, CHUNK):
                        yield part
                    packed = stream.unused_data if stream.eof else stream.unconsumed_tail
                    stream = None if stream.eof else stream
            while stream is not None and (rest := stream.decompress(b"", CHUNK)):
                yield rest
        except zlib.error as error:
            raise BadVolume(f"{self._path}: its gzip compression is damaged ({error})") from error
        if stream is not None and not stream.eof:
            some = f"after {self.unpacked} bytes of {self.wanted}"
            if self.unpacked >= self.wanted:
                some = "before the check sum at its end"
            raise BadVolume(f"{self._path}: its gzip compression is cut short, {some}")
