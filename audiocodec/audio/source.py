"""Opens recordings for libsndfile, from wherever they come: files, file objects, pipes."""

import contextlib
import io
import os
import tempfile
import threading
from typing import Any, BinaryIO

import soundfile as sf

from ..errors import AudioError
from . import flac

FORMATS = "WAV, FLAC, Ogg (Vorbis, Opus), MP3 and what else libsndfile reads"
_FROM_PIPES = (b"RIFF", b"RIFX", b"OggS", b".snd")  # libsndfile reads these front to back; FLAC it does not
_MP3_COUNTS = (b"Xing", b"Info", b"VBRI")  # names of the frames that say how long an MP3 is
_BLOCK_BYTES = 1 << 16


class ForwardSoundFile(sf.SoundFile):
    """A SoundFile that is only read from front to back.

    soundfile seeks after every read of a seekable file. Seeking inside MP3 is not exact: blocks read one by one then
    differ from the whole (measured: by up to 0.24 of full scale) and libmpg123 complains on stderr at each.
    """

    def seekable(self) -> bool:
        """Never, so that soundfile does not seek."""
        return False


class Source:
    """A recording opened for reading; `sound` is None for a recording of zero samples that libsndfile cannot open.

    Args:
        source: path (a named pipe will do), or binary file object; one that cannot seek is read front to back.
    Raises:
        AudioError: there is no such file, it cannot be read, or it is no recording of a known format.
    """

    def __init__(self, source: str | os.PathLike[str] | BinaryIO):
        self.name = source_name(source)
        self.sound: ForwardSoundFile | None = None
        self.seekable_file: BinaryIO | None = None
        self.is_pipe = False  # libsndfile cannot see the end: lengths are what the header claims
        self.failure: Exception | None = None  # of the thread that feeds libsndfile from a pipe
        self.empty_flac: tuple[int, int] | None = None
        self._stack = contextlib.ExitStack()
        try:
            file = self._stack.enter_context(open_path(source)) if isinstance(source, str | os.PathLike) else source
            self._open_pipe(file) if not _is_seekable(file) else self._open_file(file)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close what was opened here; a file object that was given stays open."""
        self._stack.close()

    def _open_file(self, file: BinaryIO) -> None:
        file.seek(0)
        head = file.read(_BLOCK_BYTES)
        file.seek(0)
        self.seekable_file = file
        sound = self._open_sound(file, head)
        if sound is not None and sound.format == "MP3" and not any(word in _after_id3(file) for word in _MP3_COUNTS):
            # Without a count libsndfile guesses the length from the first frame and stops there; from a pipe it
            # cannot guess and reads to the end.
            sound.close()
            file.seek(0)
            sound = self._open_sound(self._pump(file, _read_some(file, _BLOCK_BYTES)), head)
        self.sound = sound

    def _open_pipe(self, file: BinaryIO) -> None:
        head = b""
        while len(head) < 4 and (block := _read_some(file, 4 - len(head))):
            head += block
        if head not in _FROM_PIPES:
            spool = self._stack.enter_context(tempfile.TemporaryFile())  # on disk: memory stays small
            spool.write(head)
            while block := _read_some(file, _BLOCK_BYTES):
                spool.write(block)
            spool.flush()
            self._open_file(spool)
            return
        self.sound = self._open_sound(self._pump(file, head), head)

    def _pump(self, file: BinaryIO, head: bytes) -> int:
        """Return the reading end of a pipe into which a thread copies `head` and then `file`."""
        reading, writing = os.pipe()
        self._stack.callback(os.close, reading)
        self.is_pipe = True

        def copy() -> None:
            block = head
            try:
                with open(writing, "wb") as out:
                    while block:
                        out.write(block)
                        out.flush()
                        block = _read_some(file, _BLOCK_BYTES)
            except BrokenPipeError:
                pass  # the reader stopped early and has closed its end
            except (OSError, ValueError) as error:
                self.failure = error

        threading.Thread(target=copy, daemon=True).start()
        return reading

    def _open_sound(self, file: BinaryIO | int, head: bytes) -> ForwardSoundFile | None:
        # Errors of a Python file inside libsndfile's callbacks would be printed, not raised: give it the descriptor.
        where = file.fileno() if isinstance(file, io.FileIO) else file
        try:
            sound = ForwardSoundFile(where, closefd=False)
        except sf.LibsndfileError as error:
            if not isinstance(file, int) and (found := flac.parse_empty_flac(file)):
                self.empty_flac = found
                return None
            raise AudioError(f"{self.name}: {_why_not(head, error)}; readable are {FORMATS}") from error
        self._stack.callback(sound.close)
        return sound


def source_name(source: Any) -> str:
    """Return how messages call a source: its path, or the name of the file object."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "input"


def open_path(path: str | os.PathLike[str]) -> io.FileIO:
    """Open a file for reading, unbuffered.

    Raises:
        AudioError: it does not exist, is a folder, or must not be read.
    """
    try:
        return open(path, "rb", buffering=0)  # libsndfile shares the descriptor, so its position must be the true one
    except FileNotFoundError as error:
        raise AudioError(f"{os.fspath(path)}: there is no such file") from error
    except IsADirectoryError as error:
        raise AudioError(f"{os.fspath(path)}: is a folder, not a file") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{os.fspath(path)!r}: cannot be read ({reason})") from error


def _is_seekable(file: BinaryIO) -> bool:
    try:
        return file.seekable()
    except AttributeError:
        return False


def _read_some(file: BinaryIO, size: int) -> bytes:
    """Read what is there now, at most `size` bytes; b"" at the end."""
    raw = getattr(file, "raw", None)
    if isinstance(raw, io.FileIO) and raw.fileno() == 0:
        # Past the lock of Python's stdin: a thread that waits inside it makes the interpreter abort when it ends.
        return os.read(0, size)
    read = getattr(file, "read1", file.read)
    data: bytes = read(size)
    return data


def _after_id3(file: BinaryIO) -> bytes:
    """Return the start of an MP3 file without the ID3v2 tag before it; the file's position stays."""
    position = file.tell()
    file.seek(0)
    head = file.read(10)
    size = 0
    if head[:3] == b"ID3" and len(head) == 10:
        size = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    file.seek(size)
    start = file.read(4096)
    file.seek(position)
    return start


def _why_not(head: bytes, error: sf.LibsndfileError) -> str:
    if not head:
        return "is empty (0 bytes), not even a header"
    if head.startswith(b"\x89ANC"):
        return "is a compressed .anc file, not a recording"
    with contextlib.suppress(UnicodeDecodeError):
        text = head[: _BLOCK_BYTES - 4].decode("utf-8")
        if all(character.isprintable() or character.isspace() for character in text):
            return f"is a text file, not a recording (it begins with {text[:20]!r})"
    return f"is no recording that can be read ({str(error.error_string).rstrip('.')})"
