"""Packets for real-time transport: each datagram is decoded by itself, and may carry coarse copies of earlier frames.

The sender turns codes into datagrams (`Packetizer`), the receiver turns what arrives, in any order, into codes frame by
frame (`JitterBuffer`). Nothing here sends: any transport of datagrams will do (UDP, RTP, QUIC, WebRTC data channels).
Specified in docs/transport.md.
"""

import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import BitstreamError, ConfigError, ShapeError
from .fields import Fields, varint
from .header import StreamInfo, encode_header, read_header
from .packets import MODE_ADAPTIVE, Packet
from .payload import check_codes, decode_packet, encode_packet
from .tables import Tables

VERSION = 1
MAX_FRAMES = 16  # of one part
MAX_PARTS = 16
MAX_DISTANCE = 255  # frames
MAX_BYTES = 65_507  # of a UDP datagram
_WRAP = 1 << 16  # frames are counted modulo this
MIDDLE = _WRAP // 2  # a first datagram nearest to this has the frame index that it says
_JOINED, _N_Q = 4, 8  # in the first byte of a part


@dataclass(frozen=True, slots=True)
class Redundancy:
    """A coarse copy of an earlier packet, sent along with a later one.

    Args:
        n_q: codebooks of the copy: the first, which matter most.
        distance: how many packets later it goes; more outlasts longer bursts, and the receiver must wait longer.
    """

    n_q: int
    distance: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive frames as one datagram carries them: `codes` [S, K, T] from frame index `frame` on."""

    frame: int
    codes: NDArray[np.integer]


class Packetizer:
    """Turns codes into datagrams.

    Args:
        info: what the codes are; the receiver needs it before the first datagram, as `header`.
        frames: frames of one datagram, 1 to 16: fewer for less delay, more for fewer bytes.
        redundancy: coarse copies to send along, for example [Redundancy(n_q=3)].
        tables: entropy tables trained for this model; the receiver needs them too.
        entropy: False keeps to fixed width.
        max_bytes: refuse settings whose datagrams could be larger; 1200 fit through any path of today's internet.
    Attributes:
        header: bytes that tell a receiver what comes: to be sent once by a reliable way, or now and then.
    Raises:
        ConfigError: settings outside these limits.
    """

    def __init__(
        self,
        info: StreamInfo,
        *,
        frames: int = 1,
        redundancy: Sequence[Redundancy] = (),
        tables: Tables | None = None,
        entropy: bool = True,
        max_bytes: int = 1200,
    ):
        if not 1 <= frames <= MAX_FRAMES:
            raise ConfigError(f"a datagram holds 1 to {MAX_FRAMES} frames, got {frames}")
        if tables is not None and not tables.fits(info.codebook_sizes):
            raise ConfigError("the entropy tables are for other codebooks than this stream's")
        furthest = MAX_DISTANCE // frames
        for copy in redundancy:
            if not 1 <= copy.n_q <= info.n_q or not 1 <= copy.distance <= furthest:
                raise ConfigError(f"{copy}: n_q must be 1 to {info.n_q}, distance 1 to {furthest}")
        if len(redundancy) >= MAX_PARTS:
            raise ConfigError(f"a datagram holds at most {MAX_PARTS - 1} copies, got {len(redundancy)}")
        self.info = info if tables is None else replace(info, tables_id=tables.id)
        largest = largest_datagram(info, frames, redundancy)
        if largest > min(max_bytes, MAX_BYTES):
            raise ConfigError(
                f"datagrams of {frames} frames could take {largest} bytes, allowed are {min(max_bytes, MAX_BYTES)}: "
                "send fewer frames or copies in each, or raise max_bytes"
            )
        self.frames, self.redundancy = frames, tuple(redundancy)
        self.header = encode_header(self.info)
        self._tables, self._entropy = tables, entropy
        self._salt = _salt(self.info)
        self._buffer: NDArray[np.integer] = np.zeros((info.n_streams, info.n_q, 0), dtype=np.int64)
        self._sent: list[Part] = []  # the latest ones, as many as copies may be taken of
        self._next = 0

    def push(self, codes: NDArray[np.integer]) -> list[bytes]:
        """Take the next frames.

        Args:
            codes: [S, K, any number] integers within their codebooks.
        Returns:
            The datagrams that are complete now.
        Raises:
            ShapeError: not [S, K, T] for this stream.
            BitstreamError: a code is outside its codebook.
        """
        codes = np.asarray(codes)
        if codes.ndim != 3 or codes.shape[:2] != self._buffer.shape[:2] or not np.issubdtype(codes.dtype, np.integer):
            expected = f"[{self._buffer.shape[0]}, {self._buffer.shape[1]}, T]"
            raise ShapeError(
                f"codes must be integers {expected} for this stream, got {codes.dtype} {list(codes.shape)}"
            )
        for k in range(codes.shape[1]):
            check_codes(codes[:, k], k, self.info)
        self._buffer = np.concatenate([self._buffer, codes.astype(np.int64)], axis=2)
        ready = self._buffer.shape[2] // self.frames * self.frames
        pieces = np.split(self._buffer[:, :, :ready], range(self.frames, ready, self.frames), axis=2) if ready else []
        self._buffer = self._buffer[:, :, ready:]
        return [self._datagram(piece) for piece in pieces]

    def flush(self) -> list[bytes]:
        """Return what is left as a shorter datagram, if anything is left."""
        rest, self._buffer = self._buffer, self._buffer[:, :, :0]
        return [self._datagram(rest)] if rest.shape[2] else []

    def _datagram(self, codes: NDArray[np.integer]) -> bytes:
        parts = [Part(self._next, codes)]
        for copy in self.redundancy:
            if copy.distance <= len(self._sent):
                earlier = self._sent[-copy.distance]
                parts.append(Part(earlier.frame, earlier.codes[:, : copy.n_q]))
        self._next += codes.shape[2]
        self._sent = [*self._sent, parts[0]][-max((copy.distance for copy in self.redundancy), default=0) :]
        return encode_datagram(parts, self.info, self._tables, self._entropy, self._salt)


def encode_datagram(
    parts: Sequence[Part], info: StreamInfo, tables: Tables | None = None, entropy: bool = True, salt: int | None = None
) -> bytes:
    """Spell out one datagram (docs/transport.md, section 2).

    Args:
        parts: 1 to 16, each of 1 to 16 frames; those after the first begin 1 to 255 frames before it.
        info: the header of the stream.
        tables, entropy: as in `Packetizer`.
        salt: what the checksum of this stream starts from; computed from `info` if None.
    """
    first = parts[0].frame
    data = bytearray([VERSION << 4 | (len(parts) - 1)]) + (first % _WRAP).to_bytes(2, "little")
    for number, part in enumerate(parts):
        packet = encode_packet(part.codes, 0, info, tables, entropy)
        given = packet.n_q != info.n_q
        data.append(packet.mode | _JOINED * packet.joined | _N_Q * given | (packet.n_frames - 1) << 4)
        data += bytes([first - part.frame] if number else []) + bytes([packet.n_q] if given else [])
        data += (varint(len(packet.payload)) if number < len(parts) - 1 else b"") + packet.payload
    crc = binascii.crc_hqx(data, _salt(info) if salt is None else salt)
    return bytes(data) + crc.to_bytes(2, "little")


def decode_datagram(data: bytes, info: StreamInfo, tables: Tables | None = None, near: int = MIDDLE) -> list[Part]:
    """Read and check one datagram; it may come from a stranger.

    Args:
        data: its bytes.
        info: the header of the stream.
        tables: entropy tables, where `info` names some.
        near: the frame index that it is expected to be nearest to, for it says its own modulo 65536 only; by default
            as at the beginning of a stream.
    Returns:
        Its parts, the newest frames first; a frame index below 0 lies before the start of the stream.
    Raises:
        BitstreamError: damaged, of another stream, or made by no writer of this format.
    """
    if len(data) > MAX_BYTES or len(data) < 5:
        raise BitstreamError(f"a datagram has 5 to {MAX_BYTES} bytes, got {len(data)}")
    if data[0] >> 4 != VERSION:
        raise BitstreamError(f"a datagram of version {data[0] >> 4}; this version of audiocodec reads {VERSION}")
    if binascii.crc_hqx(data[:-2], _salt(info)) != int.from_bytes(data[-2:], "little"):
        raise BitstreamError("the datagram is damaged or belongs to another stream (its checksum is wrong)")
    fields = Fields(data[3:-2], "datagram")
    first = near + (int.from_bytes(data[1:3], "little") - near + MIDDLE) % _WRAP - MIDDLE
    count = (data[0] & 15) + 1
    return [_decode_part(fields, first, number, count, info, tables) for number in range(count)]


def _decode_part(fields: Fields, first: int, number: int, count: int, info: StreamInfo, tables: Tables | None) -> Part:
    head = fields.u8()
    mode, n_frames = head & 3, (head >> 4) + 1
    distance = fields.u8() if number else 0
    if (number and not distance) or mode > MODE_ADAPTIVE or (head & _JOINED and not mode):
        raise BitstreamError("datagram: a part contradicts itself")
    n_q = fields.u8() if head & _N_Q else info.n_q
    if not 1 <= n_q <= info.n_q:
        raise BitstreamError(f"datagram: number of codebooks is {n_q}; allowed are 1 to {info.n_q}")
    payload = fields.take(fields.varint("length", 0, fields.left) if number < count - 1 else fields.left)
    packet = Packet(0, n_frames, n_q, payload, mode, bool(head & _JOINED))
    return Part(first - distance, decode_packet(packet, info, tables))


def read_session(header: bytes) -> StreamInfo:
    """Read the `header` of a Packetizer.

    Raises:
        BitstreamError: it is none, or damaged.
    """
    fields = Fields(header, "header")
    info, _ = read_header(fields.take)
    if fields.left:
        raise BitstreamError(f"header: {fields.left} bytes are left over")
    return info


def largest_datagram(info: StreamInfo, frames: int, redundancy: Sequence[Redundancy] = ()) -> int:
    """Return the most bytes that a datagram can take: that of codes which no statistics suit."""
    sizes = [frames * info.n_streams * sum(info.widths)]
    sizes += [frames * info.n_streams * sum(info.widths[: copy.n_q]) for copy in redundancy]
    return 5 + sum((bits + 7) // 8 for bits in sizes) + sum(6 for _ in sizes)


def _salt(info: StreamInfo) -> int:
    """What checksums start from, so that datagrams of another stream or model are refused at no cost in bytes."""
    return binascii.crc_hqx(encode_header(info), 0xFFFF)
