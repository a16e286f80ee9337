"""Static statistics: tables of integer frequencies, trained once for a model and shipped beside it.

What a code is likely to be depends on the class of the code before it in time (same codebook) and on the class of the
code above it (same frame, codebook before). Specified in docs/format.md, section 6.
"""

import hashlib
import zlib
from array import array
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import BitstreamError
from .fields import Fields, varint
from .header import MAX_CODEBOOKS
from .range_coder import MAX_TOTAL, RangeDecoder, RangeEncoder

MAGIC = b"\x89ANT\r\n\x01"
MAX_TABLE_SIZE = 1 << 13  # entries of a codebook that may have a table
MAX_CELLS = 1 << 22  # rows times entries of one codebook
MAX_BODY = 1 << 26  # bytes after inflation


@dataclass(frozen=True, eq=False)
class LayerTable:
    """Statistics of one codebook.

    Args:
        previous_class: [N + 1] uint8, class of the code in the frame before; the last entry stands for "no frame".
        above_class: [M] uint8, class of the code of the codebook before in the same frame; [1] zero for the first.
        repeat: [number of previous classes] uint16, chance in 65536 that a code repeats the one in the frame before;
            where 0, repeats are not coded apart.
        frequency: [previous classes * above classes, N] uint16, each at least 1, each row summing to 65536.
    """

    previous_class: NDArray[np.uint8]
    above_class: NDArray[np.uint8]
    repeat: NDArray[np.uint16]
    frequency: NDArray[np.uint16]

    @property
    def size(self) -> int:
        """Entries of the codebook."""
        return self.frequency.shape[1]

    @property
    def n_above(self) -> int:
        """Number of classes of the code above."""
        return len(self.frequency) // len(self.repeat)

    def check(self) -> None:
        """Raise BitstreamError unless the parts agree and every row can be coded with."""
        rows, size = self.frequency.shape
        good = 2 <= size <= MAX_TABLE_SIZE and rows * size <= MAX_CELLS and rows == len(self.repeat) * self.n_above
        good = good and len(self.previous_class) == size + 1 and int(self.previous_class.max()) < len(self.repeat)
        good = good and int(self.above_class.max()) < self.n_above
        sums = self.frequency.sum(axis=1, dtype=np.int64)
        if not good or int(self.frequency.min()) < 1 or (sums != MAX_TOTAL).any():
            raise BitstreamError("the entropy tables contradict themselves: they are damaged or were made wrongly")

    @cached_property
    def starts(self) -> list[array]:
        """For each row, where each code begins in [0, 65536), and at the end 65536."""
        zeros = np.zeros((len(self.frequency), 1), dtype=np.uint32)
        cumulative = np.concatenate([zeros, np.cumsum(self.frequency, axis=1, dtype=np.uint32)], axis=1)
        return [array("I", row.tobytes()) for row in cumulative.astype(np.uintc)]

    @cached_property
    def lookups(self) -> tuple[list[int], list[int], list[int]]:
        """Classes and repeat chances as lists, which Python reads faster."""
        return self.previous_class.tolist(), self.above_class.tolist(), self.repeat.tolist()


@dataclass(frozen=True, eq=False)
class Tables:
    """Static statistics of all codebooks of a model.

    Args:
        layers: one table for each codebook, in order.
    """

    layers: tuple[LayerTable, ...]

    @cached_property
    def id(self) -> bytes:
        """First 8 bytes of the SHA-256 of the tables: what a file that uses them says in its header."""
        return hashlib.sha256(self._body()).digest()[:8]

    def fits(self, codebook_sizes: tuple[int, ...]) -> bool:
        """Whether these are tables for the first codebooks of these sizes."""
        return tuple(layer.size for layer in self.layers[: len(codebook_sizes)]) == codebook_sizes

    def to_bytes(self) -> bytes:
        """The tables as a file; `Tables.from_bytes` reads it."""
        return MAGIC + zlib.compress(self._body(), 9)

    def _body(self) -> bytes:
        parts = [varint(len(self.layers))]
        for layer in self.layers:
            counts = (layer.size, len(layer.repeat), layer.n_above, len(layer.above_class))
            parts += [varint(count) for count in counts]
            parts += [layer.previous_class.tobytes(), layer.above_class.tobytes()]
            parts += [layer.repeat.astype("<u2").tobytes(), layer.frequency.astype("<u2").tobytes()]
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Tables":
        """Read tables and check them; they may come from a stranger.

        Raises:
            BitstreamError: not tables, damaged, or beyond the limits.
        """
        if not data.startswith(MAGIC):
            raise BitstreamError("not entropy tables of audiocodec (their first bytes are wrong)")
        inflater = zlib.decompressobj()
        try:
            body = inflater.decompress(data[len(MAGIC) :], MAX_BODY)
        except zlib.error as error:
            raise BitstreamError(f"the entropy tables are damaged: {error}") from error
        if not inflater.eof or inflater.unused_data:
            raise BitstreamError(f"the entropy tables are cut off, or larger than {MAX_BODY} bytes")
        fields = Fields(body, "entropy tables")
        layers: list[LayerTable] = []
        for _ in range(fields.varint("number of codebooks", 1, MAX_CODEBOOKS)):
            layers.append(_parse_layer(fields, layers[-1].size if layers else 1))
        if fields.left:
            raise BitstreamError("entropy tables: bytes are left over")
        return cls(tuple(layers))


@lru_cache(maxsize=4)
def load_tables(path: Path) -> Tables:
    """Read the entropy tables of a model, once for many files.

    Raises:
        BitstreamError: they are damaged, or cannot be read.
    """
    try:
        return Tables.from_bytes(path.read_bytes())
    except OSError as error:
        raise BitstreamError(f"{path}: cannot be read: {error.strerror}") from error


class TableModel:
    """Codes symbols of one codebook with its static table."""

    def __init__(self, table: LayerTable):
        self._starts = table.starts
        self._previous_class, self._above_class, self._repeat = table.lookups
        self._n_above = table.n_above
        self.begin()

    def begin(self) -> None:
        """A new channel begins: no frame comes before the next one."""
        self._previous = -1  # also finds the last entry of the classes, "no frame"

    def encode(self, encoder: RangeEncoder, symbol: int, above: int) -> None:
        """Code one symbol; `above` is the code of the codebook before in the same frame."""
        context = self._previous_class[self._previous]
        chance = self._repeat[context] if self._previous >= 0 else 0
        if chance:
            if symbol == self._previous:
                encoder.encode(0, chance, MAX_TOTAL)
                return
            encoder.encode(chance, MAX_TOTAL - chance, MAX_TOTAL)
        starts = self._starts[context * self._n_above + self._above_class[above]]
        start = starts[symbol]
        encoder.encode(start, starts[symbol + 1] - start, MAX_TOTAL)
        self._previous = symbol

    def decode(self, decoder: RangeDecoder, above: int) -> int:
        """The inverse of `encode`."""
        context = self._previous_class[self._previous]
        chance = self._repeat[context] if self._previous >= 0 else 0
        if chance:
            if decoder.locate(MAX_TOTAL) < chance:
                decoder.accept(0, chance)
                return self._previous
            decoder.accept(chance, MAX_TOTAL - chance)
        self._previous = decoder.decode(self._starts[context * self._n_above + self._above_class[above]])
        return self._previous


def _parse_layer(fields: Fields, size_above: int) -> LayerTable:
    size = fields.varint("codebook size", 2, MAX_TABLE_SIZE)
    n_previous = fields.varint("number of classes before", 1, 256)
    n_above = fields.varint("number of classes above", 1, 256)
    if fields.varint("codes above", 1, MAX_TABLE_SIZE) != size_above:
        raise BitstreamError("entropy tables: the classes above do not fit the codebook above")
    layer = LayerTable(
        np.frombuffer(fields.take(size + 1), dtype=np.uint8),
        np.frombuffer(fields.take(size_above), dtype=np.uint8),
        np.frombuffer(fields.take(2 * n_previous), dtype="<u2").astype(np.uint16),
        np.frombuffer(fields.take(2 * n_previous * n_above * size), dtype="<u2")
        .astype(np.uint16)
        .reshape(n_previous * n_above, size),
    )
    layer.check()
    return layer
