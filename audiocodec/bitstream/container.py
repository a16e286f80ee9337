"""The .anc container: what other parts of audiocodec use of the file format (docs/format.md).

- `write(file, info, codes)`: codes [C, K, T] and a StreamInfo into a file, at once
- `info, codes = read(file)`: and back
- `Writer`, `Reader`: packet by packet: long files, pipes, live streams, seeking, damaged files
"""

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import BitstreamError
from .header import StreamInfo
from .packets import MODE_LOST, Packet
from .payload import code_dtype
from .reader import Damage, Reader
from .tables import Tables
from .writer import Writer

__all__ = ["MODE_LOST", "Damage", "Packet", "Reader", "StreamInfo", "Tables", "Writer", "read", "write"]


def write(
    fileobj: BinaryIO,
    info: StreamInfo,
    codes: NDArray[np.integer],
    *,
    packet_frames: int | None = None,
    tables: Tables | None = None,
    entropy: bool = True,
    full_hashes: bool = False,
) -> None:
    """Write a whole file.

    Args:
        fileobj: opened for writing in binary; never sought.
        info: the header; `original_samples` should be set, or the length stays unknown.
        codes: [C, K, T] integers within their codebooks.
        packet_frames, tables, entropy, full_hashes: as in `Writer`.
    Raises:
        ShapeError, BitstreamError, ConfigError: as `Writer`.
    """
    with Writer(
        fileobj, info, packet_frames=packet_frames, tables=tables, entropy=entropy, full_hashes=full_hashes
    ) as writer:
        writer.write(codes)


def read(fileobj: BinaryIO, *, tables: Tables | None = None) -> tuple[StreamInfo, NDArray[np.integer]]:
    """Read a whole, undamaged file.

    Args:
        fileobj: opened for reading in binary; a pipe will do.
        tables: the entropy tables of the model, needed for files that were written with them.
    Returns:
        What the file says of itself, and its codes [C, K, T], uint16 (uint32 where a codebook needs more).
        Whatever it claims, at most 4 MiB and 64 bytes for each byte of the file are allocated (128 with uint32).
    Raises:
        BitstreamError: not a .anc file, truncated, damaged, or with marked gaps (use Reader for those).
    """
    reader = Reader(fileobj, tables=tables)
    packets = list(reader.packets())
    info = reader.info
    if any(packet.mode == MODE_LOST for packet in packets):
        raise BitstreamError("some frames are marked as lost; use Reader(fileobj, tolerant=True) to conceal them")
    n_q = {packet.n_q for packet in packets} or {info.n_q}
    if len(n_q) > 1:
        raise BitstreamError(f"packets hold different numbers of codebooks, {sorted(n_q)}; use Reader to take each")
    codes = np.empty((info.n_streams, n_q.pop(), sum(packet.n_frames for packet in packets)), dtype=code_dtype(info))
    for packet in packets:
        codes[:, :, packet.frame : packet.end] = reader.decode(packet)
    return info, codes
