"""WAV headers where libsndfile does not help: how much a file promises, and files that are written to a pipe."""

import os
from dataclasses import dataclass
from typing import BinaryIO

MAX_BYTES = 0xFFFF_FFFF  # sizes in a WAV header are 32 bits wide
UNKNOWN_SIZE = 0xFFFF_FFFF  # what a program writes that cannot know the length yet
STREAM_SIZES = range(0x7FFF_0000, UNKNOWN_SIZE + 1)  # close to a limit of int32 or uint32: the same, as others write it

_PCM, _FLOAT = 1, 3
_MAX_CHUNKS = 1000


@dataclass(frozen=True)
class DataChunk:
    """Where the samples of a WAV file lie."""

    promised: int  # bytes, as the header says
    present: int  # bytes from there to the end of the file

    @property
    def is_cut_short(self) -> bool:
        """Whether the header promises more than there is, other than as the sign for an unknown length."""
        return self.promised > self.present and self.promised not in STREAM_SIZES

    @property
    def is_unfinished(self) -> bool:
        """Whether the header says zero although data follows: its writer was stopped before it knew the length."""
        return self.promised == 0 and self.present > 0


def find_data(file: BinaryIO) -> DataChunk | None:
    """Return the data chunk of a seekable RIFF WAVE file; None if it is none or has no such chunk."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    position = 12
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8:
            return None
        size = int.from_bytes(chunk[4:], "little")
        position += 8
        if chunk[:4] == b"data":
            return DataChunk(size, end - position)
        position += size + size % 2  # chunks are padded to even length
    return None


def wav_header(sample_rate: int, channels: int, sample_bytes: int, *, is_float: bool, n_samples: int | None) -> bytes:
    """Return the bytes before the samples of a WAV file that is written from front to back.

    Args:
        sample_rate: Hz.
        channels: interleaved channels.
        sample_bytes: bytes of one sample of one channel.
        is_float: IEEE float rather than integers.
        n_samples: per channel; None while unknown. A length that 32 bits cannot say is written as unknown too.
    """
    frame = channels * sample_bytes
    size = UNKNOWN_SIZE if n_samples is None else n_samples * frame
    fields = [_FLOAT if is_float else _PCM, channels, sample_rate, sample_rate * frame, frame, 8 * sample_bytes]
    widths = [2, 2, 4, 4, 2, 2]
    fmt = b"".join(value.to_bytes(width, "little") for value, width in zip(fields, widths, strict=True))
    body = (
        b"WAVE"
        + b"fmt "
        + len(fmt).to_bytes(4, "little")
        + fmt
        + b"data"
        + min(size, UNKNOWN_SIZE).to_bytes(4, "little")
    )
    total = min(size + size % 2 + len(body), UNKNOWN_SIZE)
    return b"RIFF" + total.to_bytes(4, "little") + body
