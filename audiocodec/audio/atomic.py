"""Files that appear under their name only when they are whole."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import AudioError

_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


@contextlib.contextmanager
def atomic_output(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` and give it that name when the block ends without an error.

    Whatever ends the block early (an error, Ctrl-C), the temporary file is removed and an older `path` is untouched.
    A device or named pipe (`/dev/null`) cannot be replaced: it is written directly.

    Args:
        path: the final name; its folder must exist; a symbolic link is followed.
        overwrite: whether an existing file may be replaced.
    Yields:
        the temporary file, open for reading and writing, seekable.
    Raises:
        AudioError: the file exists and `overwrite` is False, or its folder is missing or cannot be written.
    """
    check_target(path, overwrite=overwrite)
    final = Path(os.path.realpath(path))
    if final.exists() and not final.is_file():
        with open(final, "wb") as device:
            yield device
        return
    # Not named after `path`: a name of 255 bytes is allowed and leaves no room for a suffix.
    temporary = final.with_name(f".audiocodec-{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        raise AudioError(f"{path}: cannot be written ({error.strerror}); check the folder and its rights") from error
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _rename(temporary, final, overwrite)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _FULL:
            raise AudioError(
                f"{path}: cannot be written ({error.strerror}); make room or choose another disk"
            ) from error
        raise
    _sync_folder(final.parent)


def check_target(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Refuse a `path` that cannot become a file, before any work is done for it.

    Args:
        path: where a file is to be written.
        overwrite: whether an existing file may be replaced.
    Raises:
        AudioError: it is a folder, exists without `overwrite`, or its folder is missing or not writable.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = 0
    except OSError as error:
        raise AudioError(f"{path}: cannot be written ({error.strerror})") from error
    if stat.S_ISDIR(mode):
        raise AudioError(f"{path}: is a folder; name a file in it")
    if stat.S_ISREG(mode) and not overwrite:
        raise AudioError(f"{path}: exists already; choose another name, or allow it to be replaced (--force)")
    if mode and not stat.S_ISREG(mode):
        return
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise AudioError(f"{path}: the folder {folder} does not exist; make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise AudioError(f"{path}: the folder {folder} cannot be written; check its rights or choose another")


def _rename(temporary: Path, final: Path, overwrite: bool) -> None:
    if overwrite:
        os.replace(temporary, final)
        return
    try:
        os.link(temporary, final)  # unlike a rename it fails where another process has made `final` meanwhile
    except FileExistsError:
        raise AudioError(f"{final}: was made by another program meanwhile; it is left as it is") from None
    except OSError:  # a file system without hard links
        os.replace(temporary, final)
    else:
        temporary.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut; where folders cannot be synced (Windows), do nothing."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
