"""Framing of packets: sync word, place in time, coding mode, payload, CRC-32. Payloads stay bytes here."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import BitstreamError
from .fields import Fields, check_range, refuse_critical, varint
from .header import MAX_FRAMES, StreamInfo

SYNC = b"\xf1\x9a"
MODE_FIXED, MODE_STATIC, MODE_ADAPTIVE, MODE_LOST = 0, 1, 2, 15
MODE_MASK = 0x0F
FLAG_JOINED, FLAG_N_Q, FLAG_REDUNDANT, FLAG_EXTENSION = 0x10, 0x20, 0x40, 0x80

MAX_CODES = 1 << 16  # codes of one packet, all channels and codebooks together
MAX_PAYLOAD = (1 << 16) - 1  # bytes
MAX_LOST_FRAMES = 1 << 16  # of one packet that marks a gap
MAX_EXTENSION = 1 << 12  # bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as it lies in the file.

    Args:
        frame: index of its first frame, counted from the start of the recording.
        n_frames: frames that it covers.
        n_q: codebooks that it carries.
        payload: the codes, coded by `mode`.
        mode: MODE_FIXED, MODE_STATIC, MODE_ADAPTIVE, or MODE_LOST for a gap whose codes are not known.
        joined: the codebooks share one run of the coder, so they cannot be cut off without decoding.
        redundant: repeats frames that an earlier packet carried; of use only if that one was lost.
    """

    frame: int
    n_frames: int
    n_q: int
    payload: bytes
    mode: int = MODE_FIXED
    joined: bool = False
    redundant: bool = False

    @property
    def end(self) -> int:
        """Index of the first frame after this packet."""
        return self.frame + self.n_frames

    def encode(self, info: StreamInfo, sequence: int) -> bytes:
        """Spell the packet out in bytes (docs/format.md, section 4); `sequence` counts packets, modulo 256."""
        flags = self.mode | FLAG_JOINED * self.joined | FLAG_REDUNDANT * self.redundant
        flags |= FLAG_N_Q * (self.n_q != info.n_q)
        data = SYNC + bytes([flags, sequence & 0xFF]) + varint(self.frame) + varint(self.n_frames)
        data += bytes([self.n_q] if flags & FLAG_N_Q else []) + varint(len(self.payload)) + self.payload
        return data + zlib.crc32(data).to_bytes(4, "little")


def read_packet(read: Callable[[int], bytes], info: StreamInfo) -> tuple[Packet, int]:
    """Read and check one packet whose sync word has been read already.

    Args:
        read: returns exactly the number of bytes asked for, or raises BitstreamError.
        info: the header of the file.
    Returns:
        The packet and its sequence number modulo 256.
    Raises:
        BitstreamError: the packet is damaged, cut off, or beyond the limits of the format.
    """
    data = bytearray(SYNC)

    def take(count: int) -> bytes:
        piece = read(count)
        data.extend(piece)
        return piece

    def number(name: str, low: int, high: int) -> int:
        piece = take(1)
        while piece[-1] & 0x80 and len(piece) < 9:
            piece += take(1)
        return Fields(piece, "packet").varint(name, low, high)

    flags, sequence = take(2)
    frame = number("first frame", 0, MAX_FRAMES)
    lost = flags & MODE_MASK == MODE_LOST
    n_frames = number("number of frames", 1, MAX_LOST_FRAMES if lost else MAX_CODES)
    check_range(frame + n_frames, 0, MAX_FRAMES, "packet: last frame")
    n_q = check_range(take(1)[0], 1, info.n_q, "packet: number of codebooks") if flags & FLAG_N_Q else info.n_q
    if not lost:
        check_range(n_frames * n_q * info.n_streams, 1, MAX_CODES, "packet: number of codes")
    extension = take(number("length of the extension", 0, MAX_EXTENSION)) if flags & FLAG_EXTENSION else b""
    payload = take(number("length", 0, 0 if lost else MAX_PAYLOAD))
    crc = read(4)
    if zlib.crc32(data) != int.from_bytes(crc, "little"):
        raise BitstreamError(f"the packet that says it begins at frame {frame} is damaged (its checksum is wrong)")
    for kind, _ in Fields(extension, "packet").blocks():  # none is defined yet; later minor versions may
        refuse_critical(kind, "packet")
    if (lost and flags & FLAG_REDUNDANT) or (flags & FLAG_JOINED and flags & MODE_MASK in (MODE_FIXED, MODE_LOST)):
        raise BitstreamError(f"the flags {flags:#x} of the packet at frame {frame} contradict each other")
    packet = Packet(
        frame, n_frames, n_q, payload, flags & MODE_MASK, bool(flags & FLAG_JOINED), bool(flags & FLAG_REDUNDANT)
    )
    return packet, sequence
