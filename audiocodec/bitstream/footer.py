"""The end of a .anc file: how long the recording is, where to seek to, and a hash of the whole."""

import zlib
from dataclasses import dataclass

from ..errors import BitstreamError
from .fields import Fields, check_range, refuse_critical, varint, write_blocks
from .header import MAX_FRAMES, MAX_SAMPLES, StreamInfo

SYNC = b"\xf1\x65"
DIGEST = 8  # first bytes of the SHA-256 of everything before them
TAIL = 6  # length (2) and CRC-32 (4): found from the end of the file
MAX_FOOTER = (1 << 16) - 1
BLOCK_INDEX = 16

INDEX_SPACING = 1 << 14  # bytes between seek points, so that the index costs less than 0.1 %
INDEX_POINTS = 1 << 12  # beyond this many, every other point is dropped and later ones lie twice as far apart


@dataclass(frozen=True)
class Footer:
    """What a file says at its end.

    Args:
        n_frames: frames of the recording, marked gaps included.
        original_samples: samples per channel at the original rate; None if it was never known.
        index: (first frame of a packet, offset of that packet from the start of the file in bytes), ascending.
    """

    n_frames: int
    original_samples: int | None
    index: tuple[tuple[int, int], ...] = ()

    def encode_start(self) -> bytes:
        """All of the footer that lies before the hash."""
        samples = 0 if self.original_samples is None else self.original_samples + 1
        content, last = b"", (0, 0)
        for point in self.index:
            content += varint(point[0] - last[0]) + varint(point[1] - last[1])
            last = point
        blocks = write_blocks([(BLOCK_INDEX, content)] if content else [])
        return SYNC + varint(self.n_frames) + varint(samples) + blocks


def encode_end(start: bytes, digest: bytes) -> bytes:
    """The rest of the footer: hash, length of the whole footer, CRC-32 of the footer."""
    data = digest[:DIGEST] + (len(start) + DIGEST + TAIL).to_bytes(2, "little")
    return data + zlib.crc32(start + data).to_bytes(4, "little")


def parse_footer(data: bytes, info: StreamInfo) -> Footer:
    """Read and check a whole footer, sync word included, except for its hash of the file.

    Raises:
        BitstreamError: it is damaged, or claims more samples than its frames can hold.
    """
    length = int.from_bytes(data[-TAIL:-4], "little")
    crc = int.from_bytes(data[-4:], "little")
    if len(data) < len(SYNC) + DIGEST + TAIL or length != len(data) or zlib.crc32(data[:-4]) != crc:
        raise BitstreamError("the footer is damaged, or the file does not end with it")
    fields = Fields(data[len(SYNC) : -TAIL - DIGEST], "footer")
    n_frames = fields.varint("number of frames", 0, MAX_FRAMES)
    samples = fields.varint("number of samples", 0, MAX_SAMPLES + 1) - 1
    check_samples(samples, n_frames, info)
    index: list[tuple[int, int]] = []
    for kind, content in fields.blocks():
        if kind == BLOCK_INDEX:
            index = _parse_index(Fields(content, "seek index"), n_frames)
        else:
            refuse_critical(kind, "footer")
    return Footer(n_frames, None if samples < 0 else samples, tuple(index))


def check_samples(samples: int, n_frames: int, info: StreamInfo) -> None:
    """Refuse a number of samples that needs more than one frame beyond those coded (resampling rounds)."""
    most = (n_frames + 1) * info.hop_length * info.original_rate // info.sample_rate
    check_range(samples, -1, most, f"number of samples in {n_frames} frames")


def file_digest(data: bytes) -> bytes:
    """The hash that a whole footer carries."""
    return data[-TAIL - DIGEST : -TAIL]


def _parse_index(fields: Fields, n_frames: int) -> list[tuple[int, int]]:
    index, frame, offset = [], 0, 0
    while fields.left:
        frame += fields.varint("frame", 1, MAX_FRAMES)
        offset += fields.varint("offset", 1)
        check_range(frame, 1, n_frames, "seek index: frame")
        index.append((frame, offset))
    return index
