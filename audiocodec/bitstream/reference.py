"""A reader of .anc files in one file, written from docs/format.md alone; numpy and the standard library.

    python -m audiocodec.bitstream.reference FILE.anc [TABLES]      prints what the file says and a hash of its codes

`read(bytes, tables)` gives (dict of the header, codes [S, K, T]) or raises ValueError. It shares no code with the
package: it can be taken along alone, and the tests use it as an outside judge of package and specification.
"""

import hashlib
import sys
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Header = dict[str, Any]


def need(condition: object, message: str) -> None:
    """Refuse what is not as the format demands."""
    if not condition:
        raise ValueError(message)


class Bytes:
    """Takes fields from the front of some bytes."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, n: int) -> bytes:
        """The next n bytes."""
        need(self.at + n <= len(self.data), "cut off")
        self.at += n
        return self.data[self.at - n : self.at]

    def u8(self) -> int:
        """A byte as a number."""
        return self.take(1)[0]

    def varint(self, low: int = 0, high: int = 2**63 - 1) -> int:
        """A number in 7-bit groups, in [low, high]."""
        value, byte, groups = 0, 128, 0
        while byte & 128:
            byte = self.u8()
            value |= (byte & 127) << 7 * groups
            groups += 1
            need(groups <= 9, "number too long")
        need(byte or groups == 1, "number not in its shortest spelling")
        need(low <= value <= high, f"{value} is not in {low}..{high}")
        return value

    def left(self) -> bytes:
        """All that is left."""
        return self.data[self.at :]

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Blocks up to the end."""
        while self.at < len(self.data):
            kind, content = self.u8(), self.take(self.varint())
            yield kind, content
            need(kind < 128, f"unknown required block {kind}")  # none is defined so far

    def checksum(self, start: int) -> None:
        """The CRC-32 of everything from `start` on."""
        crc = zlib.crc32(self.data[start : self.at])
        need(crc == int.from_bytes(self.take(4), "little"), "wrong checksum")


def read_header(f: Bytes) -> Header:
    """Section 3."""
    start = f.at
    need(f.take(6) == b"\x89ANC\r\n", "not a .anc file")
    need(f.u8() >> 4 == 1, "unknown major version")
    body = Bytes(f.take(f.varint(0, 65536)))
    f.checksum(start)
    h: Header = {"sample_rate": body.varint(1, 768000), "hop_length": body.varint(1, 2**20)}
    byte = body.u8()
    h["channels"] = (byte & 31) + 1
    h["streams"] = -(-h["channels"] // ((byte >> 5) + 1))
    k = h["codebooks"] = body.u8()
    need(1 <= k <= 64, "number of codebooks")
    kind = body.u8()
    need(kind & 31 <= 16 and not (kind & 128 and kind & 96), "kind of codebooks")
    h["sizes"] = [1 << (kind & 31)] * k if kind & 31 else [body.varint(2, 65536) for _ in range(k)]
    h["sf"] = list(body.take(k)) if kind & 128 else [kind >> 5] * k
    need(max(h["sf"]) <= 3, "space-filling bits")
    h["original_rate"] = body.varint(0, 768000) or h["sample_rate"]
    h["weights"], h["config"] = body.take(4), body.take(4)
    h["name"] = body.take(body.u8()).decode()
    parts = h["name"].split("/")
    need(len(parts) < 3 and h["name"].isprintable() and "\\" not in h["name"], "name")
    need(not h["name"] or all(p and p[0] not in ".~" for p in parts), "name")
    h["tags"], h["tables"] = {}, b""
    for kind, content in body.blocks():
        if kind == 1:
            pairs = Bytes(content)
            while pairs.left():
                key = pairs.take(pairs.varint()).decode()
                h["tags"][key] = pairs.take(pairs.varint()).decode()
        elif kind == 2:
            need(len(content) == 64 and content[:4] == h["weights"] and content[32:36] == h["config"], "hashes")
        elif kind == 3:
            h["tables"] = content
    h["widths"] = [((n - 1) << s).bit_length() for n, s in zip(h["sizes"], h["sf"], strict=True)]
    return h


def fixed(data: bytes, widths: Sequence[int], count: int) -> list[list[int]]:
    """Codes in fixed width, codebook after codebook."""
    need(len(data) == -(-count * sum(widths) // 8), "length of fixed-width codes")
    bits = int.from_bytes(data, "big")
    left = len(data) * 8
    layers = []
    for width in widths:
        left -= count * width
        piece = (bits >> left) & ((1 << count * width) - 1)
        layers.append([(piece >> (count - 1 - i) * width) & ((1 << width) - 1) for i in range(count)])
    need(bits & ((1 << left) - 1) == 0, "padding is not zero")
    return layers


class Decoder:
    """The range decoder."""

    def __init__(self, data: bytes):
        self.data, self.at, self.range = data, 4, 2**32 - 1
        self.code = int.from_bytes((data + bytes(4))[:4], "big")

    def symbol(self, frequencies: Sequence[tuple[int, int]]) -> int:
        """Index in a sequence of (start, size); the total is the end of the last."""
        total = frequencies[-1][0] + frequencies[-1][1]
        step = self.range // total
        place = self.code // step
        need(place < total, "nothing here")
        low, high = 0, len(frequencies)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if frequencies[middle][0] <= place else (low, middle)
        start, size = frequencies[low]
        self.code -= step * start
        self.range = step * size
        while self.range < 2**24:
            self.code = self.code * 256 + (self.data[self.at] if self.at < len(self.data) else 0)
            self.range *= 256
            self.at += 1
        return low


def shares(sizes: Any) -> list[tuple[int, int]]:
    """(start, size) of each symbol."""
    sizes = np.asarray(sizes, dtype=np.int64)
    return list(zip((np.cumsum(sizes) - sizes).tolist(), sizes.tolist(), strict=True))


class Counts:
    """Adaptive statistics of one codebook (section 7)."""

    def __init__(self, size: int, parameter: int):
        need(parameter & 15 <= 12 and parameter < 32, "parameter")
        self.step = 2 ** ((parameter & 15) - 1) if parameter & 15 and size <= 4096 else 0
        self.repeats = parameter & 16
        self.frequency = [1] * size
        self.flags = {False: [1, 1], True: [1, 1]}
        self.was_repeat = False

    def segment(self, decoder: Decoder, before: int | None, above: int) -> int:
        """Decode one segment."""
        if before is None:
            self.was_repeat = False
        if self.repeats and before is not None:
            counts = self.flags[self.was_repeat]
            self.was_repeat = bool(decoder.symbol(shares(counts)))
            if sum(counts) + 2 <= 65536:
                counts[self.was_repeat] += 2
            if self.was_repeat:
                return before
        x = decoder.symbol(shares(self.frequency))
        if self.step and sum(self.frequency) + self.step <= 65536:
            self.frequency[x] += self.step
        return x


class Table:
    """Static statistics of one codebook (section 6)."""

    def __init__(self, f: Bytes):
        self.size, p, a = f.varint(2, 8192), f.varint(1, 256), f.varint(1, 256)
        above = f.varint(1, 8192)
        self.before, self.above, self.a = f.take(self.size + 1), f.take(above), a
        self.repeat = np.frombuffer(f.take(2 * p), "<u2").tolist()
        self.rows = np.frombuffer(f.take(2 * p * a * self.size), "<u2").reshape(p * a, self.size)
        need((self.rows.sum(1, dtype=int) == 65536).all() and self.rows.min() > 0, "row")

    def segment(self, decoder: Decoder, before: int | None, above: int) -> int:
        """Decode one segment."""
        b = self.before[self.size if before is None else before]
        if before is not None and self.repeat[b]:
            if decoder.symbol([(0, self.repeat[b]), (self.repeat[b], 65536 - self.repeat[b])]) == 0:
                return before
        return decoder.symbol(shares(self.rows[b * self.a + self.above[above]]))


def read_tables(data: bytes) -> tuple[bytes, list[Table]]:
    """Identity and tables of a file of tables."""
    need(data[:7] == b"\x89ANT\r\n\x01", "not tables")
    body = zlib.decompress(data[7:])
    f = Bytes(body)
    return hashlib.sha256(body).digest()[:8], [Table(f) for _ in range(f.varint(1, 64))]


def payload(
    data: bytes, flags: int, n_q: int, frames: int, h: Header, tables: tuple[bytes, list[Table]] | None
) -> list[list[int]]:
    """Section 5: the codes of each codebook."""
    count, mode = h["streams"] * frames, flags & 15
    widths = h["widths"][:n_q]
    if mode == 0:
        need(not flags & 16, "flags")
        return fixed(data, widths, count)
    f = Bytes(data)
    if mode == 1:
        need(tables and tables[0] == h["tables"], "the tables of the model are needed")
        assert tables is not None
        statistics: list[Any] = list(tables[1])
    else:
        need(mode == 2, f"unknown mode {mode}")
        parameter = f.u8()
        statistics = [Counts(size, parameter) for size in h["sizes"]]
    savings = [] if flags & 16 else [f.varint() for _ in widths]
    lengths = [-(-count * w // 8) - saved for w, saved in zip(widths, savings, strict=False)]
    need(flags & 16 or (min(lengths) * 16 >= count and sum(lengths) == len(f.left())), "lengths")
    joined = Decoder(f.left()) if flags & 16 else None
    need(joined is None or len(f.left()) * 16 >= count * n_q, "too short")
    layers: list[list[int]] = []
    for k in range(n_q):
        run = b"" if joined else f.take(lengths[k])
        if not joined and not savings[k]:
            layers += fixed(run, widths[k : k + 1], count)
            continue
        decoder, codes = joined or Decoder(run), list[int]()
        for i in range(count):
            before = codes[-1] >> h["sf"][k] if i % frames else None
            above = layers[k - 1][i] >> h["sf"][k - 1] if k else 0
            need(not k or above < h["sizes"][k - 1], "code above")
            x = statistics[k].segment(decoder, before, above)
            low = 0
            if h["sf"][k] and x != h["sizes"][k] - 1:
                low = decoder.symbol([(v, 1) for v in range(1 << h["sf"][k])])
            codes.append(x << h["sf"][k] | low)
        need(not any(decoder.data[decoder.at :]) or joined, "left over")
        layers.append(codes)
    need(joined is None or not any(joined.data[joined.at :]), "left over")
    return layers


def read_packet(
    f: Bytes, h: Header, number: int, expected: int, tables: tuple[bytes, list[Table]] | None
) -> NDArray[np.int64] | None:
    """Codes [S, K, T] of the packet that begins here, or None for a redundant one."""
    start = f.at
    f.take(2)
    flags, sequence = f.take(2)
    frame, frames = f.varint(0, 2**32), f.varint(1, 65536)
    n_q = f.u8() if flags & 32 else h["codebooks"]
    need(1 <= n_q <= h["codebooks"] and frame + frames <= 2**32, "packet")
    need(flags & 15 != 15, "frames are marked as lost")
    need(frames * n_q * h["streams"] <= 65536, "too many codes")
    for _ in Bytes(f.take(f.varint(0, 4096)) if flags & 128 else b"").blocks():
        pass
    data = f.take(f.varint(0, 65535))
    f.checksum(start)
    need(sequence == number % 256, "packets are missing")
    if flags & 64 and frame < expected:
        return None
    need(frame == expected, "frames are missing")
    layers = payload(data, flags, n_q, frames, h, tables)
    for layer, n, s in zip(layers, h["sizes"], h["sf"], strict=False):
        need(max(layer) <= (n - 1) << s, "no such code")
    return np.array(layers).reshape(n_q, h["streams"], frames).transpose(1, 0, 2)


def read(data: bytes, tables: bytes | None = None) -> tuple[Header, NDArray[np.int64]]:
    """Header (dict) and codes [S, K, T] of a whole file; `tables` are the bytes of a file of tables."""
    f = Bytes(data)
    h = read_header(f)
    header = data[: f.at]
    entropy = read_tables(tables) if tables else None
    pieces, number, expected = [np.zeros((h["streams"], h["codebooks"], 0), int)], 0, 0
    while data[f.at : f.at + 2] != b"\xf1\x65":
        if data[f.at : f.at + 2] == header[:2]:
            need(f.take(len(header)) == header, "another header")
            continue
        need(data[f.at : f.at + 2] == b"\xf1\x9a", "no packet here")
        codes = read_packet(f, h, number, expected, entropy)
        number += 1
        if codes is not None:
            pieces.append(codes)
            expected += codes.shape[2]
    footer = f.left()
    need(len(footer) >= 18 and zlib.crc32(footer[:-4]) == int.from_bytes(footer[-4:], "little"), "footer")
    need(len(footer) == int.from_bytes(footer[-6:-4], "little"), "length of the footer")
    need(hashlib.sha256(data[:-14]).digest()[:8] == footer[-14:-6], "hash of the file")
    end = Bytes(footer[2:-14])
    need(end.varint() == expected, "number of frames")
    samples = end.varint() - 1
    need(samples <= (expected + 1) * h["hop_length"] * h["original_rate"] // h["sample_rate"], "samples")
    h["samples"] = samples if samples >= 0 else None
    for _ in end.blocks():
        pass  # seek points are of no use to a reader of whole files
    n_q = {piece.shape[1] for piece in pieces[1:]} or {h["codebooks"]}
    need(len(n_q) == 1, "packets of different numbers of codebooks")
    return h, np.concatenate([piece[:, : min(n_q)] for piece in pieces], axis=2)


if __name__ == "__main__":
    header, codes = read(*(open(path, "rb").read() for path in sys.argv[1:]))
    print(header, codes.shape, hashlib.sha256(codes.astype("<u4").tobytes()).hexdigest(), sep="\n")
