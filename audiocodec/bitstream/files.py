"""Opens .anc files from wherever they come, so that what is wrong with one is told with its name."""

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias, cast

from ..errors import BitstreamError
from .container import Reader

AncSource: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO


@dataclass(frozen=True)
class AncFile:
    """A .anc file opened for reading.

    Args:
        name: what messages call it.
        reader: at its first packet.
    """

    name: str
    reader: Reader
    _file: "_CountedFile"

    @property
    def n_bytes(self) -> int:
        """Size in bytes; of a pipe, what came so far."""
        return self._file.n_bytes


@contextlib.contextmanager
def open_anc(source: AncSource, *, tolerant: bool = False) -> Iterator[AncFile]:
    """Open a .anc file for a `with` block; BitstreamError raised in the block gets the name of the file.

    Args:
        source: path, bytes, or binary file object (a pipe will do; it stays open).
        tolerant: as in `Reader`.
    Raises:
        BitstreamError: there is no such file, it cannot be read, or it is no .anc file.
    """
    name = name_of(source)
    with contextlib.ExitStack() as stack:
        if isinstance(source, str | os.PathLike):
            opened: BinaryIO = stack.enter_context(_open_path(source))
        else:
            opened = io.BytesIO(source) if isinstance(source, bytes) else source
        try:
            file = _CountedFile(opened)
            yield AncFile(name, Reader(cast(BinaryIO, file), tolerant=tolerant), file)
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


class _CountedFile:
    """A file object that knows how many bytes it holds or, where it cannot be sought, has given."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._seekable = bool(getattr(file, "seekable", lambda: False)())
        self.n_bytes = 0
        if self._seekable:
            here = file.tell()
            self.n_bytes = file.seek(0, os.SEEK_END) - here
            file.seek(here)

    def seekable(self) -> bool:
        return self._seekable

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.n_bytes += 0 if self._seekable else len(data)
        return data
