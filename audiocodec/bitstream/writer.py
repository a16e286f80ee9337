"""Writing .anc files: header, packets as the codes come, footer. Never seeks: pipes and files get the same bytes."""

import hashlib
from dataclasses import replace
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import BitstreamError, ConfigError, ShapeError
from . import footer
from .header import MAX_FRAMES, StreamInfo, encode_header
from .packets import MAX_CODES, MAX_LOST_FRAMES, MAX_PAYLOAD, MODE_LOST, Packet
from .payload import check_codes, code_dtype, encode_packet
from .tables import Tables

PACKET_SECONDS = 5  # 3.7 kB at 6 kbit/s: 0.4 % of framing, and a damaged byte costs no more than this


class Writer:
    """Writes one .anc file. Use it as a context manager: leaving by an exception leaves the file without its footer,
    so that nobody takes it for a whole one.

    Args:
        fileobj: opened for writing in binary; only its `write` is used.
        info: the header; `original_samples` may be None and be given to `close`.
        packet_frames: frames per packet; the last packet may hold up to half as many more. Default: 5 seconds.
        tables: entropy tables trained for this model; readers will need them too.
        entropy: code each packet in the mode that makes it smallest; False keeps to fixed width, which is faster.
        full_hashes: store the hashes of the model whole (66 bytes more) rather than 4 bytes of each.
    Raises:
        ConfigError: `packet_frames` frames do not fit in a packet, or the tables belong to another model.
    """

    def __init__(
        self,
        fileobj: BinaryIO,
        info: StreamInfo,
        *,
        packet_frames: int | None = None,
        tables: Tables | None = None,
        entropy: bool = True,
        full_hashes: bool = False,
    ):
        most = most_frames(info)
        if packet_frames is None:
            packet_frames = max(1, min(round(PACKET_SECONDS * info.frame_rate), most * 2 // 3))
        if not 1 <= packet_frames <= most:
            raise ConfigError(f"packet_frames must be 1 to {most} for this stream, got {packet_frames}")
        if tables is not None:
            if not tables.fits(info.codebook_sizes):
                raise ConfigError("the entropy tables are for other codebooks than this stream's")
            info = replace(info, tables_id=tables.id)
        self.info = info
        self._tables, self._entropy = tables, entropy
        self._file = fileobj
        self._packet_frames = packet_frames
        self._held_back = min(packet_frames // 2, most - packet_frames)  # so that no file ends in a tiny packet
        self._buffer: NDArray[np.integer] | None = None
        self._hash = hashlib.sha256()
        self._frames_sent = self._sequence = 0
        self._index: list[tuple[int, int]] = []
        self._index_spacing = footer.INDEX_SPACING
        self.n_bytes = 0
        self.closed = False
        self._header = encode_header(info, full_hashes=full_hashes)
        self._send(self._header)

    @property
    def n_frames(self) -> int:
        """Frames taken so far."""
        return self._frames_sent + (0 if self._buffer is None else self._buffer.shape[2])

    def write(self, codes: NDArray[np.integer]) -> None:
        """Add frames.

        Args:
            codes: [C, K, T] integers, any T from 0; K may be smaller than the header's number of codebooks.
        Raises:
            ShapeError: not [C, K, T] for this file.
            BitstreamError: a code is outside its codebook, the file is closed, or would become too long.
        """
        codes = np.asarray(codes)
        self._check(codes)
        if self._buffer is not None and self._buffer.shape[1] != codes.shape[1]:
            self.flush()
        codes = codes.astype(code_dtype(self.info))
        self._buffer = codes if self._buffer is None else np.concatenate([self._buffer, codes], axis=2)
        start, size = 0, self._packet_frames
        enough = size + self._held_back + (self._held_back > 0)
        while self._buffer.shape[2] - start >= enough:
            self._send_packet(self._encode(self._buffer[:, :, start : start + size]))
            start += size
        self._buffer = self._buffer[:, :, start:].copy() if start else self._buffer

    def flush(self) -> None:
        """Send what is held back as packets now: for live streams."""
        if self._buffer is not None and self._buffer.shape[2]:
            self._send_packet(self._encode(self._buffer))
        self._buffer = None

    def skip(self, n_frames: int) -> None:
        """Add frames whose codes are not known (lost, or not sent): readers conceal them or refuse."""
        self.flush()
        while n_frames > 0:
            size = min(n_frames, MAX_LOST_FRAMES)
            self.write_packet(Packet(self._frames_sent, size, self.info.n_q, b"", MODE_LOST))
            n_frames -= size

    def write_packet(self, packet: Packet) -> None:
        """Send a packet that is coded already; redundant ones may repeat earlier frames, others must follow on."""
        self.flush()
        self._send_packet(packet)

    def repeat_header(self) -> None:
        """Send the header again, so that listeners can join a live stream here."""
        self.flush()
        self._send(self._header)

    def close(self, original_samples: int | None = None) -> None:
        """Send what is held back and the footer.

        Args:
            original_samples: samples per channel at the original rate; default: as in `info`, unknown if None there.
        Raises:
            ConfigError: more samples than the frames written can hold.
        """
        if self.closed:
            return
        samples = self.info.original_samples if original_samples is None else original_samples
        if samples is not None:
            try:
                footer.check_samples(samples, self.n_frames, self.info)
            except BitstreamError as error:
                raise ConfigError(str(error)) from error
        self.flush()
        start = footer.Footer(self._frames_sent, samples, tuple(self._index)).encode_start()
        self._hash.update(start)
        end = footer.encode_end(start, self._hash.digest())
        self._send(start + end)
        self.closed = True

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def _encode(self, codes: NDArray[np.integer]) -> Packet:
        return encode_packet(codes, self._frames_sent, self.info, self._tables, self._entropy)

    def _send_packet(self, packet: Packet) -> None:
        if self.closed:
            raise BitstreamError("the file is closed: nothing can be added")
        if packet.end > MAX_FRAMES or not (packet.frame == self._frames_sent or packet.redundant):
            raise BitstreamError(f"the next packet must begin at frame {self._frames_sent}, not {packet.frame}")
        last = self._index[-1][1] if self._index else len(self._header)
        if self.n_bytes - last >= self._index_spacing and packet.frame == self._frames_sent:
            self._index.append((packet.frame, self.n_bytes))
        if len(self._index) > footer.INDEX_POINTS:
            self._index = self._index[1::2]
            self._index_spacing = self.n_bytes // len(self._index)
        self._send(packet.encode(self.info, self._sequence))
        self._sequence += 1
        self._frames_sent = max(self._frames_sent, packet.end)

    def _check(self, codes: NDArray[np.integer]) -> None:
        shape = f"[{self.info.n_streams}, 1..{self.info.n_q}, T]"
        if codes.ndim != 3 or codes.shape[0] != self.info.n_streams or not 1 <= codes.shape[1] <= self.info.n_q:
            raise ShapeError(f"codes must be {shape} for this file, got {list(codes.shape)}")
        if not np.issubdtype(codes.dtype, np.integer):
            raise ShapeError(f"codes must be integers, got {codes.dtype}")
        for k in range(codes.shape[1]):
            check_codes(codes[:, k], k, self.info)

    def _send(self, data: bytes) -> None:
        self._hash.update(data)
        self.n_bytes += len(data)
        view = memoryview(data)
        while view:  # an unbuffered pipe may take fewer bytes than offered
            view = view[self._file.write(view) or len(view) :]


def most_frames(info: StreamInfo) -> int:
    """How many frames fit in one packet, whatever their codes."""
    return min(MAX_CODES // (info.n_streams * info.n_q), MAX_PAYLOAD * 8 // (info.n_streams * sum(info.widths)))
