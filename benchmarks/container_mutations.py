"""Small .anc files of every kind, and ways to damage and forge them; used by fuzz_container.py and by the tests."""

import io
import zlib
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np

from audiocodec.bitstream.container import Reader, StreamInfo, Writer
from audiocodec.bitstream.header import encode_header
from audiocodec.bitstream.packets import Packet
from audiocodec.bitstream.train_tables import train_tables


class Corpus:
    """Small good files of every kind, and the tables that some need."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        skewed = [(16 * rng.random((1, 3, 400)) ** 3).astype(int) for _ in range(4)]
        self.tables = train_tables(skewed, (16, 16, 16), packet_frames=50, max_rows=4)
        plain = _info(codebook_sizes=(16, 16, 16))
        mixed = _info(codebook_sizes=(1024, 1000, 3), sf_bits=(0, 2, 3), channels=3, codec_channels=2, tags={"a": "b"})
        still = np.repeat(rng.integers(0, 2, (2, 3, 6)), 20, axis=2)
        self.files: list[tuple[StreamInfo, list[Packet], dict[str, Any]]] = [
            _parts(plain, rng.integers(0, 16, (1, 3, 40)), packet_frames=8),
            _parts(mixed, still, packet_frames=40),
            _parts(plain, skewed[0][:, :, :120], packet_frames=60, tables=self.tables),
            _parts(plain, skewed[0][:, :, :30], packet_frames=5, tables=self.tables),
            _parts(plain, still[:1], packet_frames=20),
            _parts(_info(codebook_sizes=(2,) * 64), rng.integers(0, 2, (1, 64, 9))),
            _parts(_info(codebook_sizes=(65536,), sf_bits=3), rng.integers(0, 65535 * 8, (1, 1, 12))),
        ]
        self.bytes = [assemble(*parts) for parts in self.files]


def assemble(info: StreamInfo, packets: list[Packet], footer: dict[str, Any]) -> bytes:
    """Bytes with right checksums, lengths and hash around whatever the packets and the footer say."""
    data = encode_header(footer.get("info", info))
    for number, packet in enumerate(packets):
        data += packet.encode(info, footer["sequence"] + number)
    start = footer["start"]
    data += start
    end = sha256(data).digest()[:8] + (len(start) + 14).to_bytes(2, "little")
    return data + end + zlib.crc32(start + end).to_bytes(4, "little")


def mutate_raw(corpus: Corpus, rng: np.random.Generator) -> bytes:
    """A good file with a few changes anywhere."""
    data = bytearray(corpus.bytes[rng.integers(len(corpus.bytes))])
    for _ in range(rng.integers(1, 5)):
        change_bytes(data, rng, corpus.bytes[rng.integers(len(corpus.bytes))])
    return bytes(data)


def mutate_repaired(corpus: Corpus, rng: np.random.Generator) -> bytes:
    """A file whose checksums are right and whose contents are not."""
    info, packets, footer = corpus.files[rng.integers(len(corpus.files))]
    if rng.random() < 0.3:
        return repair_checksums(mutate_raw(corpus, rng))
    packets, footer = list(packets), dict(footer)
    for _ in range(rng.integers(1, 4)):
        kind = rng.integers(6)
        at = int(rng.integers(len(packets)))
        if kind == 0:
            packets[at] = replace(packets[at], **_packet_change(packets[at], info, rng))
        elif kind == 1:
            packets.insert(at, packets[int(rng.integers(len(packets)))])
        elif kind == 2:
            start = bytearray(footer["start"])
            change_bytes(start, rng, b"")
            footer["start"] = bytes(start)
        elif kind == 3:
            footer["sequence"] = int(rng.integers(256))
        else:
            payload = bytearray(packets[at].payload)
            change_bytes(payload, rng, packets[int(rng.integers(len(packets)))].payload)
            packets[at] = replace(packets[at], payload=bytes(payload[:65535]))
    return assemble(info, packets, footer)


def change_bytes(data: bytearray, rng: np.random.Generator, other: bytes) -> None:
    """One change: a bit, a byte, an extreme, a piece removed, doubled, moved in from elsewhere, or the end cut off."""
    if not data:
        data += bytes([rng.integers(256)])
        return
    at = int(rng.integers(len(data)))
    length = int(rng.integers(1, 1 + min(64, len(data))))
    match int(rng.integers(8)):
        case 0 | 1:
            data[at] ^= 1 << int(rng.integers(8))
        case 2:
            data[at] = int(rng.integers(256))
        case 3:
            data[at : at + 4] = [b"\xff\xff\xff\xff", b"\x80\x80\x01", b"\0\0\0\0", b"\xf1\x9a"][rng.integers(4)]
        case 4:
            del data[at : at + length]
        case 5:
            data[at:at] = data[at : at + length]
        case 6:
            begin = int(rng.integers(len(other) + 1))
            data[at:at] = other[begin : begin + length]
        case 7:
            del data[at:]


def repair_checksums(data: bytes) -> bytes:
    """Make the checksums of header, packets and footer right, as far as the lengths lead."""
    out = bytearray(data)
    if len(out) < 8 or 8 + out[7] + 4 > len(out) or out[7] > 127:
        return data
    at = 8 + out[7]
    out[at : at + 4] = zlib.crc32(out[:at]).to_bytes(4, "little")
    at += 4
    while out[at : at + 2] == b"\xf1\x9a":
        end = _packet_end(out, at)
        if end is None:
            return bytes(out)
        out[end : end + 4] = zlib.crc32(out[at:end]).to_bytes(4, "little")
        at = end + 4
    if out[at : at + 2] == b"\xf1\x65" and len(out) - at >= 18:
        out[-14:-6] = sha256(out[:-14]).digest()[:8]
        out[-6:-4] = ((len(out) - at) & 0xFFFF).to_bytes(2, "little")
        out[-4:] = zlib.crc32(out[at:-4]).to_bytes(4, "little")
    return bytes(out)


def _info(**changes: Any) -> StreamInfo:
    return replace(StreamInfo("fuzz", bytes(32), bytes(32), 16_000, 320, 1, (16,), 44_100), **changes)


def _parts(info: StreamInfo, codes: np.ndarray, **options: Any) -> tuple[StreamInfo, list[Packet], dict[str, Any]]:
    file = io.BytesIO()
    with Writer(file, info, **options) as writer:
        writer.write(codes)
    data = file.getvalue()
    footer = data[-int.from_bytes(data[-6:-4], "little") :]
    return writer.info, list(Reader(io.BytesIO(data)).packets()), {"start": footer[:-14], "sequence": 0}


def _packet_change(packet: Packet, info: StreamInfo, rng: np.random.Generator) -> dict[str, Any]:
    changes = [
        {"frame": int(rng.choice([0, 1, packet.frame + 1, 2**32 - 1, 1 << 20]))},
        {"n_frames": int(rng.choice([1, packet.n_frames + 1, 255, 4000, 21_845, 65_536]))},
        {"n_q": int(rng.integers(1, info.n_q + 1))},
        {"mode": int(rng.choice([0, 1, 2, 3, 14, 15]))},
        {"joined": not packet.joined},
        {"redundant": not packet.redundant},
    ]
    return changes[rng.integers(len(changes))]


def _packet_end(data: bytearray, at: int) -> int | None:
    """Where the checksum of the packet at a place begins, if the packet is all there."""
    place, flags = at + 4, data[at + 2] if at + 2 < len(data) else 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while place < len(data) and shift < 63:
            value |= (data[place] & 127) << shift
            shift, place = shift + 7, place + 1
            if data[place - 1] < 128:
                break
        return value

    varint()
    varint()
    place += bool(flags & 0x20)
    if flags & 0x80:
        place += varint()
    end = varint() + place
    return end if end + 4 <= len(data) else None
