"""A byte-wise range coder in integers: the same bytes on every machine, and runs that end on a byte.

An interval of the 32-bit number line is narrowed by each symbol to the share [start, start + size) of `total`; bytes
leave as soon as they are certain, and a carry that comes later is added to those that left already.
Source: G. N. N. Martin, "Range encoding: an algorithm for removing redundancy from a digitised message", 1979.
"""

from bisect import bisect_right
from collections.abc import Sequence

from ..errors import BitstreamError

MAX_TOTAL = 1 << 16  # of the sizes of all symbols: the interval is never below 2**24, so rounding costs under 1 %
_BOTTOM = 1 << 24
_TOP = 1 << 32


class RangeEncoder:
    """Collects symbols; `finish` gives the bytes."""

    def __init__(self) -> None:
        self._low = 0
        self._range = _TOP - 1
        self._out = bytearray()

    def encode(self, start: int, size: int, total: int) -> None:
        """Code a symbol that owns [start, start + size) of [0, total), with 1 <= size and total <= 2**16."""
        step = self._range // total
        low = self._low + step * start
        span = step * size
        if low >= _TOP:
            low -= _TOP
            self._carry()
        while span < _BOTTOM:
            self._out.append(low >> 24)
            low = (low & 0xFFFFFF) << 8
            span <<= 8
        self._low, self._range = low, span

    def encode_bits(self, value: int, width: int) -> None:
        """Code an integer of 1 to 16 bits whose values are all alike."""
        self.encode(value, 1, 1 << width)

    def finish(self) -> bytes:
        """The shortest bytes that decode to the symbols, when followed by any number of zero bytes."""
        for n in range(5):
            mask = (_TOP - 1) >> 8 * n
            value = (self._low + mask) & ~mask  # the first number from `low` up whose last 4 - n bytes are zero
            if value - self._low < self._range:
                break
        if value >= _TOP:
            value -= _TOP
            self._carry()
        return bytes(self._out + value.to_bytes(4, "big")).rstrip(b"\0")

    def _carry(self) -> None:
        place = len(self._out) - 1
        while self._out[place] == 0xFF:
            self._out[place] = 0
            place -= 1
        self._out[place] += 1


class RangeDecoder:
    """Reads symbols from bytes made by RangeEncoder; beyond their end it reads zeros."""

    def __init__(self, data: bytes):
        self._data = data
        self._next = 4
        self._code = int.from_bytes(data[:4].ljust(4, b"\0"), "big")
        self._range = _TOP - 1
        self._step = 0

    def locate(self, total: int) -> int:
        """Where in [0, total) the next symbol lies; `accept` must follow.

        Raises:
            BitstreamError: nowhere, so that no encoder made these bytes.
        """
        self._step = self._range // total
        place = self._code // self._step
        if place >= total:
            raise BitstreamError("the entropy-coded bytes decode to nothing: they are damaged")
        return place

    def accept(self, start: int, size: int) -> None:
        """Remove the symbol that owns [start, start + size), in which `locate` pointed."""
        code = self._code - self._step * start
        span = self._step * size
        while span < _BOTTOM:
            code = code << 8 | (self._data[self._next] if self._next < len(self._data) else 0)
            self._next += 1
            span <<= 8
        self._code, self._range = code, span

    def decode(self, starts: Sequence[int]) -> int:
        """Decode one symbol from a table.

        Args:
            starts: where each symbol begins, and at the end the total.
        Returns:
            Index of the symbol.
        """
        symbol = bisect_right(starts, self.locate(starts[-1])) - 1
        self.accept(starts[symbol], starts[symbol + 1] - starts[symbol])
        return symbol

    def decode_bits(self, width: int) -> int:
        """Decode an integer of 1 to 16 bits whose values are all alike."""
        value = self.locate(1 << width)
        self.accept(value, 1)
        return value

    def check_end(self) -> None:
        """Refuse bytes other than zero that no symbol needed."""
        if any(self._data[self._next :]):
            raise BitstreamError("bytes are left over after the last code: the packet is damaged")
