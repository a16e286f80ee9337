"""Makes the golden files: `python tests/bitstream/golden/make_golden.py` from the root of the repository.

The files must decode to the same codes for ever. When the writer learns to write smaller files, keep the old ones and
add new ones: run this with a new name in CASES, never over a file that has been released.
"""

import hashlib
import io
import json
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audiocodec.bitstream.container import Reader, StreamInfo, Tables, Writer
from audiocodec.bitstream.fields import write_blocks
from audiocodec.bitstream.header import encode_header
from audiocodec.bitstream.packets import FLAG_EXTENSION
from audiocodec.bitstream.repair import repair
from audiocodec.bitstream.tables import LayerTable

HERE = Path(__file__).parent
INFO = StreamInfo(
    model_name="speech-16k",
    weights_sha256=hashlib.sha256(b"weights").digest(),
    config_sha256=hashlib.sha256(b"config").digest(),
    sample_rate=16_000,
    hop_length=320,
    channels=1,
    codebook_sizes=(1024,) * 4,
    original_rate=16_000,
)


def lively_codes(sizes: tuple[int, ...], n_streams: int, n_frames: int, skew: int = 1) -> NDArray[np.int64]:
    """Codes [S, K, T] without pattern, small ones commoner the larger `skew` is; integers only, so for ever equal."""
    count = n_streams * len(sizes) * n_frames
    state, values = 12345, np.empty(count, dtype=np.int64)
    for i in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        values[i] = state >> 33
    codes = values.reshape(n_streams, len(sizes), n_frames) % np.array(sizes)[:, None]
    for _ in range(skew - 1):
        codes = codes * codes // np.array(sizes)[:, None]
    return codes


def make_tables(sizes: tuple[int, ...]) -> Tables:
    """Tables by rule rather than by training: small codes are common, more so after small ones."""
    layers = []
    for k, size in enumerate(sizes):
        previous = (np.arange(size + 1) % 3).astype(np.uint8)
        above = (np.arange(sizes[k - 1]) * 2 // sizes[k - 1]).astype(np.uint8) if k else np.zeros(1, dtype=np.uint8)
        n_above = 2 if k else 1
        weights = [[1 + 400 * (row + 1) // (code + 1) for code in range(size)] for row in range(3 * n_above)]
        rows = []
        for row in weights:
            frequency = [1 + value * (65536 - size) // sum(row) for value in row]
            frequency[0] += 65536 - sum(frequency)
            rows.append(frequency)
        repeat = np.array([0, 9000, 30000] if k % 2 else [0, 0, 0], dtype=np.uint16)
        layers.append(LayerTable(previous, above, repeat, np.array(rows, dtype=np.uint16)))
    return Tables(tuple(layers))


def make_file(info: StreamInfo, codes: NDArray[np.int64], samples: int | None, **options: object) -> bytes:
    """Write a whole file in memory."""
    file = io.BytesIO()
    with Writer(file, info, **options) as writer:  # type: ignore[arg-type]
        writer.write(codes)
        writer.close(samples)
    return file.getvalue()


def make_later() -> bytes:
    """A file of a later minor version: a block, a footer block and a packet extension that 1.0 does not know."""
    info = replace(INFO, tags={"title": "from the future"})
    codes = lively_codes(info.codebook_sizes, 1, 20)
    file = io.BytesIO()
    writer = Writer(file, info)
    header = encode_header(info)
    body = header[8:-4] + write_blocks([(40, b"unknown"), (100, b"private")])
    header = with_checksum(header[:6] + b"\x13" + bytes([len(body)]) + body)
    writer.write(codes)
    writer.flush()
    packet = file.getvalue()[len(encode_header(info)) :]
    extension = write_blocks([(50, b"more to come")])
    packet = packet[:2] + bytes([packet[2] | FLAG_EXTENSION]) + packet[3:6] + bytes([len(extension)]) + extension + (
        packet[6:-4])  # fmt: skip
    start = b"\xf1\x65" + bytes([20, 0]) + write_blocks([(60, b"also unknown")])
    data = header + with_checksum(packet) + start
    end = hashlib.sha256(data).digest()[:8] + (len(start) + 14).to_bytes(2, "little")
    return data + with_checksum(start + end)[len(start) :]


def with_checksum(data: bytes) -> bytes:
    """Append the CRC-32."""
    return data + zlib.crc32(data).to_bytes(4, "little")


def make_live() -> bytes:
    """A live stream: short packets, repeated headers, redundant packets, then a stretch with fewer codebooks."""
    file = io.BytesIO()
    codes = lively_codes(INFO.codebook_sizes, 1, 60, skew=3)
    with Writer(file, INFO, packet_frames=1, tables=make_tables(INFO.codebook_sizes)) as writer:
        for start in range(0, 60, 4):
            writer.write(codes[:, :, start : start + 4])
            if start % 20 == 0:
                writer.repeat_header()
                again = next(Reader(io.BytesIO(make_file(INFO, codes[:, :2, :4], None))).packets())
                writer.write_packet(replace(again, frame=start, redundant=True))
    return file.getvalue()


def make_repaired() -> bytes:
    """A file from which a packet was lost and then repaired."""
    damaged = bytearray(make_file(INFO, lively_codes(INFO.codebook_sizes, 1, 200), 64_000, packet_frames=50))
    damaged[400] ^= 1
    target = io.BytesIO()
    repair(io.BytesIO(bytes(damaged)), target)
    return target.getvalue()


def make_all() -> dict[str, bytes]:
    """Every golden file by name."""
    four, mixed = INFO.codebook_sizes, (1024, 1000, 600, 17, 2)
    stereo = replace(
        INFO, channels=3, codec_channels=2, codebook_sizes=mixed, sf_bits=(0, 1, 2, 3, 3), sample_rate=44_100,
        hop_length=512, original_rate=48_000, tags={"title": "Grüße", "artist": "…"},
    )  # fmt: skip
    alphabets = stereo.alphabet_sizes
    still = np.repeat(lively_codes(four, 1, 30), 12, axis=2)
    return {
        "fixed.anc": make_file(INFO, lively_codes(four, 1, 300), 95_999),
        "mixed.anc": make_file(stereo, lively_codes(alphabets, 2, 90), 49_000, full_hashes=True),
        "adaptive.anc": make_file(INFO, still, 115_200),
        "adaptive_sf.anc": make_file(stereo, np.repeat(lively_codes(alphabets, 2, 10), 20, axis=2), 100_000),
        "adaptive_joined.anc": make_file(INFO, still[:, :, :60], 19_000, packet_frames=30),
        "static.anc": make_file(INFO, lively_codes(four, 1, 250, skew=3), 80_000, tables=make_tables(four)),
        "live.anc": make_live(),
        "empty.anc": make_file(INFO, lively_codes(four, 1, 0), 0),
        "narrow.anc": make_file(replace(INFO, codebook_sizes=(2,) * 64), lively_codes((2,) * 64, 1, 21), None),
        "wide.anc": make_file(
            replace(INFO, codebook_sizes=(65_536,) * 2, sf_bits=3), lively_codes((65_535 * 8 + 1,) * 2, 1, 33), None
        ),
        "later.anc": make_later(),
        "repaired.anc": make_repaired(),
    }


def describe(data: bytes, tables: Tables) -> dict[str, object]:
    """What a reader must find in a golden file; frames without codes are given as repeats of the frame before."""
    reader = Reader(io.BytesIO(data), tables=tables, tolerant=True)
    codes = np.concatenate([np.zeros((reader.info.n_streams, reader.info.n_q, 0), dtype=np.uint32), *reader], axis=2)
    return {
        "file_sha256": hashlib.sha256(data).hexdigest(),
        "shape": list(codes.shape),
        "codes_sha256": hashlib.sha256(codes.astype("<u4").tobytes()).hexdigest(),
        "original_samples": reader.info.original_samples,
        "tags": reader.info.tags,
        "modes": sorted({f"{packet.mode}{'j' * packet.joined}" for packet in _packets(data)}),
    }


def _packets(data: bytes) -> list:
    return list(Reader(io.BytesIO(data)).packets())


if __name__ == "__main__":
    tables = make_tables(INFO.codebook_sizes)
    (HERE / "golden.tables").write_bytes(tables.to_bytes())
    table = {}
    for name, data in make_all().items():
        if (HERE / name).exists() and (HERE / name).read_bytes() != data and "--replace" not in sys.argv:
            sys.exit(f"{name} would change; golden files stay as they are (see the first lines of this script)")
        (HERE / name).write_bytes(data)
        table[name] = describe(data, tables)
        print(name, len(data), table[name]["shape"], table[name]["modes"])
    (HERE / "golden.json").write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
