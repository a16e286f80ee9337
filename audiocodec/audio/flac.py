"""FLAC recordings of zero samples: legal, but libsndfile neither reads nor writes them."""

import hashlib
import os
from typing import BinaryIO

MAGIC = b"fLaC"
_LAST, _STREAMINFO, _STREAMINFO_BYTES = 0x80, 0, 34
_BLOCK_SAMPLES = 4096  # block size announced for the frames that never come


def empty_flac(sample_rate: int, channels: int, bits: int = 16) -> bytes:
    """Return a whole FLAC file that holds no samples.

    Args:
        sample_rate: Hz, below 2**20.
        channels: 1 to 8.
        bits: per sample.
    Source: RFC 9639, sections 8.1 and 8.2 (stream information).
    """
    numbers = sample_rate << 44 | (channels - 1) << 41 | (bits - 1) << 36  # and 36 bits of zero: the sample count
    sizes = 2 * _BLOCK_SAMPLES.to_bytes(2, "big") + bytes(6)  # block size: least, most; frame size: unknown
    info = sizes + numbers.to_bytes(8, "big") + hashlib.md5(b"", usedforsecurity=False).digest()
    return MAGIC + bytes([_LAST | _STREAMINFO]) + _STREAMINFO_BYTES.to_bytes(3, "big") + info


def parse_empty_flac(file: BinaryIO) -> tuple[int, int] | None:
    """Return (sample rate in Hz, channels) if `file` is a whole FLAC file without samples, otherwise None."""
    file.seek(0)
    if file.read(4) != MAGIC:
        return None
    found = None
    while len(head := file.read(4)) == 4:
        size = int.from_bytes(head[1:], "big")
        if head[0] & 0x7F == _STREAMINFO and size == _STREAMINFO_BYTES:
            info = file.read(size)
            numbers = int.from_bytes(info[10:18], "big")
            is_empty = len(info) == size and not numbers & (1 << 36) - 1
            found = (numbers >> 44, (numbers >> 41 & 7) + 1) if is_empty else None
        else:
            file.seek(size, os.SEEK_CUR)
        if head[0] & _LAST:
            return found if not file.read(1) else None  # anything after the last block would be audio
    return None
