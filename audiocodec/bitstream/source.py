"""Reading from files and pipes alike: exact counts, a mark to return to, and a running hash."""

import hashlib
from typing import BinaryIO

from ..errors import BitstreamError

_CHUNK = 1 << 16


class Source:
    """Wraps a binary file object that may give fewer bytes than asked for (pipe, socket) or none at all (end).

    Args:
        fileobj: opened for reading in binary; positions count from where it stands now.
    """

    def __init__(self, fileobj: BinaryIO):
        self._file = fileobj
        self._returned = b""  # bytes given back, next to be read again
        self._since_mark: bytearray | None = None
        self._hash = hashlib.sha256()
        self.seekable = bool(getattr(fileobj, "seekable", lambda: False)())
        self._base = fileobj.tell() if self.seekable else 0
        self.position = 0
        self.in_order = True  # every byte so far went through the hash once

    def at_most(self, count: int) -> bytes:
        """Read `count` bytes, or fewer only at the end; never asks the system for more than 64 KiB at once."""
        pieces = [self._returned[:count]]
        self._returned = self._returned[count:]
        missing = count - len(pieces[0])
        while missing and (piece := self._file.read(min(missing, _CHUNK))):
            pieces.append(piece)
            missing -= len(piece)
        data = b"".join(pieces)
        self.position += len(data)
        if self.in_order:
            self._hash.update(data)
        if self._since_mark is not None:
            self._since_mark += data
        return data

    def exactly(self, count: int) -> bytes:
        """Read `count` bytes or raise BitstreamError at the end of the file."""
        data = self.at_most(count)
        if len(data) < count:
            raise BitstreamError(f"the file ends at byte {self.position}, in the middle of something: it was cut off")
        return data

    def mark(self) -> None:
        """Remember this place, and what is read from here on, for `rewind`."""
        self._since_mark = bytearray()

    def rewind(self, skip: int) -> None:
        """Go back to `skip` bytes after the mark, pipes included; the running hash is of no use afterwards."""
        data = bytes(self._since_mark or b"")
        self._returned = data[skip:] + self._returned
        self.position -= len(data) - min(skip, len(data))
        self._since_mark = None
        self.in_order = False

    def hasher(self) -> "hashlib._Hash":
        """A SHA-256 that has taken all bytes read so far, to be continued by the caller."""
        return self._hash.copy()

    def seek(self, position: int) -> None:
        """Go to a byte counted from the start of the stream; only where `seekable`."""
        self._file.seek(self._base + position)
        self._returned, self._since_mark = b"", None
        self.position = position
        self.in_order = False

    def tail(self, count: int) -> bytes:
        """The last `count` bytes of the file (fewer if it is shorter), without moving; only where `seekable`."""
        here = self._file.tell()
        end = self._file.seek(0, 2)
        self._file.seek(max(self._base, end - count))
        pieces = []
        while piece := self._file.read(_CHUNK):
            pieces.append(piece)
        self._file.seek(here)
        return b"".join(pieces)
