"""Opens what is to be compressed or decompressed: paths, file objects, bytes, samples."""

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np

from ..audio.reader import ArrayReader, AudioReader, SourceFile
from ..audio.source import open_path, source_name
from ..bitstream.container import Reader
from ..errors import BitstreamError, ConfigError


@contextlib.contextmanager
def open_audio(source: SourceFile | bytes | np.ndarray, sample_rate: int | None) -> Iterator[AudioReader | ArrayReader]:
    """Open a recording or samples; see `compress` for the arguments and errors."""
    is_samples = not isinstance(source, str | os.PathLike | bytes) and hasattr(source, "__array__")
    if is_samples != (sample_rate is not None):
        raise ConfigError(
            "samples need their sample_rate in Hz"
            if is_samples
            else "a recording says its own sample rate; leave it out"
        )
    if sample_rate is not None:
        yield ArrayReader(np.asarray(source), sample_rate)
        return
    with AudioReader(io.BytesIO(source) if isinstance(source, bytes) else source) as reader:  # type: ignore[arg-type]
        yield reader


@dataclass(frozen=True)
class AncFile:
    """A .anc file opened for reading: what messages call it, its bytes, and its packets."""

    name: str
    file: "_Counted"
    reader: Reader

    @property
    def n_bytes(self) -> int:
        """Bytes of a file, or of a pipe so far."""
        return self.file.n_bytes


@contextlib.contextmanager
def open_anc(source: SourceFile | bytes) -> Iterator[AncFile]:
    """Open a .anc file; what is wrong with it is then told with its name."""
    name = "input" if isinstance(source, bytes) else source_name(source)
    with contextlib.ExitStack() as stack:
        if isinstance(source, str | os.PathLike):
            opened: BinaryIO = stack.enter_context(open_path(source))
        else:
            opened = io.BytesIO(source) if isinstance(source, bytes) else source
        file = _Counted(opened)
        try:
            yield AncFile(name, file, Reader(cast(BinaryIO, file)))
        except BitstreamError as error:
            raise BitstreamError(f"{name}: {error}") from error


class _Counted(io.RawIOBase):
    """A file object that knows how many bytes it holds or, where it cannot be sought, has given."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.n_bytes = 0
        if self.seekable():
            here = file.tell()
            self.n_bytes = file.seek(0, os.SEEK_END) - here
            file.seek(here)

    def seekable(self) -> bool:
        return bool(getattr(self._file, "seekable", lambda: False)())

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if not self.seekable():
            self.n_bytes += len(data)
        return data
