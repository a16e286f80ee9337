"""Opens .anc files from wherever they come, so that what is wrong with one is told with its name."""

import contextlib
import io
import os
from collections.abc import Iterator
from typing import BinaryIO, TypeAlias

from ..errors import BitstreamError

AncSource: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO


class AncFile:
    """A binary file object with a name for messages and a size.

    Args:
        file: opened for reading.
        name: what messages call it.
    Attributes:
        n_bytes: size from here on in bytes; of a pipe, what came so far.
    """

    def __init__(self, file: BinaryIO, name: str):
        self.name, self.n_bytes = name, 0
        self._file = file
        self._seekable = bool(getattr(file, "seekable", lambda: False)())
        if self._seekable:
            here = file.tell()
            self.n_bytes = file.seek(0, os.SEEK_END) - here
            file.seek(here)

    def seekable(self) -> bool:
        """Whether `seek` and `tell` work."""
        return self._seekable

    def tell(self) -> int:
        """Position in bytes."""
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position."""
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes."""
        data = self._file.read(size)
        self.n_bytes += 0 if self._seekable else len(data)
        return data


@contextlib.contextmanager
def open_anc(source: AncSource) -> Iterator[AncFile]:
    """Open a .anc file for a `with` block; BitstreamError raised in the block gets the name of the file.

    Args:
        source: path, bytes, or binary file object (a pipe will do; it stays open).
    Yields:
        What `Reader` takes.
    Raises:
        BitstreamError: there is no such file, or it cannot be read.
    """
    name = name_of(source)
    with contextlib.ExitStack() as stack:
        if isinstance(source, str | os.PathLike):
            file: BinaryIO = stack.enter_context(_open_path(source))
        else:
            file = io.BytesIO(source) if isinstance(source, bytes) else source
        try:
            yield AncFile(file, name)
        except BitstreamError as error:
            raise BitstreamError(f"{name}: {error}") from error


def name_of(source: AncSource) -> str:
    """Return what messages call a source: its path, or the name of the file object."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "input"


def _open_path(path: str | os.PathLike[str]) -> BinaryIO:
    try:
        return open(path, "rb")
    except FileNotFoundError as error:
        raise BitstreamError(f"{os.fspath(path)}: there is no such file") from error
    except IsADirectoryError as error:
        raise BitstreamError(f"{os.fspath(path)}: is a folder, not a file") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise BitstreamError(f"{os.fspath(path)!r}: cannot be read ({reason})") from error
