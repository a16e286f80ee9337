"""Reading .anc files: whole ones strictly, damaged ones tolerantly, from files and pipes, from any frame."""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import BitstreamError, ConfigError
from . import footer, packets
from .footer import Footer, parse_footer
from .header import MAGIC, StreamInfo, encode_header, read_header
from .packets import MAX_LOST_FRAMES, MODE_ADAPTIVE, MODE_FIXED, MODE_LOST, MODE_STATIC, Packet, read_packet
from .payload import code_dtype, decode_packet
from .source import Source
from .tables import Tables

_SEARCH = 1 << 20  # bytes in which a tolerant reader looks for a header
_MAX_GAP = 1 << 20  # frames that a file may miss, beyond 16 for each byte that it has
_EFFORT = 1 << 23  # bytes that a tolerant reader may check in vain, beyond 64 for each byte of the file
_HOLD = 32  # frames of a gap concealed at once: with 32 channels of 64 codebooks no more than a packet holds
_CHUNK = 256  # bytes read at once when looking for the next packet


@dataclass(frozen=True)
class Damage:
    """One damaged or missing stretch of a file.

    Args:
        first_byte, end_byte: the bytes that could not be used, counted from the start of the stream, end exclusive.
        first_frame, end_frame: the frames that are missing for it, end exclusive (equal if none is missing).
        reason: what was found.
    """

    first_byte: int
    end_byte: int
    first_frame: int
    end_frame: int
    reason: str


class Reader:
    """Reads one .anc file packet by packet, in memory that does not grow with the file.

    Args:
        fileobj: opened for reading in binary; a pipe will do.
        tolerant: go on after damage: missing frames come as packets of mode MODE_LOST from `packets`, and as the
            frame before them repeated from iteration; `damage` tells what was met. Default: raise BitstreamError.
        tables: the entropy tables of the model, needed for files that were written with them.
        info: use this in place of the file's own header (a tolerant reader's last resort when that is destroyed).
    Raises:
        BitstreamError: not a .anc file, or its header is damaged.
    """

    def __init__(
        self,
        fileobj: BinaryIO,
        *,
        tolerant: bool = False,
        tables: Tables | None = None,
        info: StreamInfo | None = None,
    ):
        if info is not None and not tolerant:
            raise ConfigError("info= replaces a destroyed header: it needs tolerant=True")
        self._source = Source(fileobj)
        self.tolerant = tolerant
        self.tables = tables
        self.damage: list[Damage] = []
        self.footer: Footer | None = None
        self.ended_well = False  # the footer was met after the last packet
        if info is not None:
            self._info, self._header = replace(info, original_samples=None), encode_header(info)
        else:
            self._info, self._header = self._find_header() if tolerant else read_header(self._source.exactly)
        self._start = self._source.position  # of the first packet
        self._expected = 0  # index of the next frame
        self._sequence: int | None = 0  # number of the next packet; None right after a jump
        self._pending: list[Packet] = []
        self._ended = False
        self._bad_from: tuple[int, str] | None = None  # where the stretch that cannot be used began, and why
        self._effort = self._missing = 0
        if self._source.seekable:
            self._read_footer_ahead()

    @property
    def info(self) -> StreamInfo:
        """The header, with `original_samples` as soon as it is known: at once in a file, at the end in a pipe."""
        return self._info

    @property
    def seekable(self) -> bool:
        """Whether `seek` can go backwards."""
        return self._source.seekable

    @property
    def n_frames(self) -> int | None:
        """Frames of the recording; None while not known (a pipe before its end, a file without footer)."""
        return self.footer.n_frames if self.footer else None

    def __iter__(self) -> Iterator[NDArray[np.integer]]:
        """Yield codes [C, K, T], packet by packet."""
        last: NDArray[np.integer] = np.zeros((self._info.n_streams, self._info.n_q, 1), dtype=code_dtype(self._info))
        for packet in self.packets():
            if packet.mode != MODE_LOST:
                codes = self.decode(packet)
                last = codes[:, :, -1:]
                yield codes
            elif self.tolerant:
                for start in range(0, packet.n_frames, _HOLD):
                    yield np.repeat(last, min(_HOLD, packet.n_frames - start), axis=2)
            else:
                raise BitstreamError(
                    f"frames {packet.frame} to {packet.end - 1} are marked as lost; "
                    "read tolerantly to have them concealed"
                )

    def decode(self, packet: Packet) -> NDArray[np.integer]:
        """Codes [C, K, T] uint16 or uint32 of a packet that came from `packets`; one of mode MODE_LOST has none."""
        return decode_packet(packet, self._info, self.tables)

    def can_decode(self, packet: Packet) -> bool:
        """Whether the codes of a packet can be had: its mode is known, and so are its entropy tables."""
        return packet.mode in (MODE_FIXED, MODE_ADAPTIVE) or (
            packet.mode == MODE_STATIC and self.tables is not None and self.tables.id == self._info.tables_id
        )

    def packets(self) -> Iterator[Packet]:
        """Yield packets as they lie in the file, every frame exactly once and in order."""
        while (packet := self._next()) is not None:
            yield packet

    def seek(self, frame: int) -> int:
        """Go to the packet that holds a frame, so that it comes next.

        Args:
            frame: index of the frame wanted, 0 up to the number of frames.
        Returns:
            Index of the first frame that will come: at most `frame`.
        Raises:
            ConfigError: backwards in a pipe, or beyond the end.
            BitstreamError: damage on the way.
        """
        if self._source.seekable:
            self._jump(frame)
        elif frame < self._expected:
            raise ConfigError(f"cannot go back to frame {frame} in a pipe that is at frame {self._expected}")
        while (packet := self._next()) is not None:
            if packet.end > frame:
                self._pending.insert(0, packet)
                return packet.frame
        if frame != self._expected:
            raise ConfigError(f"cannot go to frame {frame}: the file has {self._expected} frames")
        return frame

    def _jump(self, frame: int) -> None:
        """Go to the last seek point at or before a frame."""
        points = [(0, self._start), *(self.footer.index if self.footer else ())]
        first, offset = points[bisect_right(points, frame, key=lambda point: point[0]) - 1]
        self._source.seek(offset)
        self._pending.clear()
        self._ended, self._bad_from = False, None
        self._expected, self._sequence = first, None

    def _next(self) -> Packet | None:
        """The next packet, from the pending ones or from the file; None at the end."""
        while not self._pending and not self._ended:
            start = self._source.position
            if self.tolerant:
                self._source.mark()
            try:
                self._step(start)
            except BitstreamError as error:
                if not self.tolerant:
                    raise
                self._recover(start, str(error))
        return self._pending.pop(0) if self._pending else None

    def _step(self, start: int) -> None:
        """Read one thing from the file: a packet, the header again, or the footer."""
        sync = self._source.at_most(2)
        if sync == packets.SYNC:
            packet, sequence = read_packet(self._source.exactly, self._info)
            if self.tolerant and self.can_decode(packet):
                self.decode(packet)  # a payload that cannot be decoded must be known as damage before it is handed out
            self._accept(packet, sequence, start)
        elif sync == footer.SYNC:
            self._finish(start)
        elif sync == MAGIC[:2]:
            if sync + self._source.exactly(len(self._header) - 2) != self._header:
                raise BitstreamError(f"the header repeated at byte {start} differs from the first one")
        elif sync:
            raise BitstreamError(f"no packet begins at byte {start}, where one should")
        else:
            self._ended = True
            raise BitstreamError("the file ends without its footer: the end of the recording is missing")

    def _accept(self, packet: Packet, sequence: int, start: int) -> None:
        """Check that a packet has its place in time, note what is missing before it, and queue it."""
        expected = self._expected
        if packet.redundant and packet.frame < expected:
            self._sequence = sequence + 1
            return
        if not self.tolerant and self._sequence is not None and sequence != self._sequence & 0xFF:
            raise BitstreamError(f"packet {sequence} at byte {start} follows packet {self._sequence - 1 & 0xFF}")
        if packet.frame < expected or (packet.frame > expected and not self.tolerant):
            raise BitstreamError(f"the packet at byte {start} begins at frame {packet.frame} instead of {expected}")
        self._resume(packet.frame, start, packet.n_frames if packet.mode == MODE_LOST else 0)
        self._pending.append(packet)
        self._expected, self._sequence = packet.end, sequence + 1

    def _finish(self, start: int) -> None:
        """Read the footer and check it against what came before."""
        hasher = self._source.hasher()
        data = footer.SYNC + self._source.at_most(footer.MAX_FOOTER)
        found = parse_footer(data, self._info)
        if found.n_frames < self._expected or (found.n_frames > self._expected and not self.tolerant):
            raise BitstreamError(f"the footer speaks of {found.n_frames} frames, the packets hold {self._expected}")
        hasher.update(data[2 : -footer.TAIL - footer.DIGEST])
        self._resume(found.n_frames, start)
        if self._source.in_order and hasher.digest()[: footer.DIGEST] != footer.file_digest(data):
            damage = Damage(0, start, 0, 0, "the hash of the file is wrong: it was altered")
            if not self.tolerant:
                raise BitstreamError(damage.reason)
            self.damage.append(damage)
        self._expected = found.n_frames
        self._set_footer(found)
        self._ended = self.ended_well = True

    def _resume(self, frame: int, byte: int, lost: int = 0) -> None:
        """Something good begins at `byte` with frame `frame`: note damage before it and mark missing frames."""
        first = self._expected
        missing = self._missing + frame - first + lost
        if missing > _MAX_GAP + 16 * byte:
            raise BitstreamError(f"{missing} frames are missing up to byte {byte}, too many to believe")
        self._missing = missing
        if self._bad_from is not None or frame > first:
            from_byte, reason = self._bad_from or (byte, "packets are missing")
            self.damage.append(Damage(from_byte, byte, first, frame, reason))
            self._bad_from = None
        for start in range(first, frame, MAX_LOST_FRAMES):
            size = min(MAX_LOST_FRAMES, frame - start)
            self._pending.append(Packet(start, size, self._info.n_q, b"", MODE_LOST))

    def _recover(self, start: int, reason: str) -> None:
        """Note where damage began and go to the next byte at which something may begin."""
        self._bad_from = self._bad_from or (start, reason)
        if self._ended:
            self.damage.append(Damage(self._bad_from[0], start, self._expected, self._expected, self._bad_from[1]))
            return
        self._effort += self._source.position - start
        if self._effort > _EFFORT + 64 * start:
            raise BitstreamError(f"the file is too damaged to go on at byte {start}: {reason}")
        self._source.rewind(1)
        self._search(packets.SYNC[:1])

    def _search(self, wanted: bytes) -> bool:
        """Go to the next place where one given byte lies; False if there is none up to the end."""
        while True:
            self._source.mark()
            chunk = self._source.at_most(_CHUNK)
            if wanted in chunk or not chunk:
                self._source.rewind(chunk.find(wanted) if chunk else 0)
                return bool(chunk)

    def _find_header(self) -> tuple[StreamInfo, bytes]:
        """The first whole header within the first MiB: a tolerant reader may join a live stream in the middle."""
        first: BitstreamError | None = None
        while True:
            self._source.mark()
            try:
                return read_header(self._source.exactly)
            except BitstreamError as error:
                first = first or error
            self._source.rewind(1)
            if not self._search(MAGIC[:1]) or self._source.position > _SEARCH:
                raise first

    def _read_footer_ahead(self) -> None:
        """Where the file can be read from any place, look at its end first; damage there is met again in order."""
        tail = self._source.tail(footer.TAIL)
        data = self._source.tail(int.from_bytes(tail[:2], "little"))
        if data.startswith(footer.SYNC):
            with suppress(BitstreamError):
                self._set_footer(parse_footer(data, self._info))

    def _set_footer(self, found: Footer) -> None:
        self.footer = found
        self._info = replace(self._info, original_samples=found.original_samples)
