"""Adaptive statistics: codes are counted as they come, so writer and reader learn the same without being told.

Each codebook of a packet starts anew. A code is coded as "the same as in the frame before" or else by how often it came
in this packet already. This pays for silence, tones and codebooks of which little is used; for lively speech, packets
are too short to learn a thousand codes, and other modes win.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..errors import BitstreamError
from .range_coder import MAX_TOTAL, RangeDecoder, RangeEncoder

MAX_COUNTED = 1 << 12  # codebooks larger than this are not counted: their codes are all alike
MAX_EXPONENT = 12
FLAG_REPEATS = 0x10  # in the parameter byte: repeats are coded apart
_LOG2_BITS = 12  # fraction bits of the integer logarithm


class AdaptiveModel:
    """Statistics of one codebook in one packet.

    Args:
        size: entries of the codebook.
        parameter: low 4 bits: 0 for no counting, e for an increment of 2**(e - 1); bit 4: repeats are coded apart.
    Raises:
        BitstreamError: the parameter is not one of these.
    """

    def __init__(self, size: int, parameter: int):
        exponent = parameter & 0x0F
        if parameter & ~(0x0F | FLAG_REPEATS) or exponent > MAX_EXPONENT:
            raise BitstreamError(f"parameter {parameter} of the adaptive coding is not known")
        self._size = size
        self._increment = 1 << (exponent - 1) if exponent and size <= MAX_COUNTED else 0
        self._repeats = bool(parameter & FLAG_REPEATS)
        self._tree = list(_ones(size)) if self._increment else []  # Fenwick tree of 1 + increment * occurrences
        self._frequency = [1] * size if self._increment else []
        self._total = size
        self._flags = [[1, 1], [1, 1]]  # [after a repeat or not][was none, was one]: counts of repeats
        self.begin()

    def begin(self) -> None:
        """A new channel begins: no frame comes before the next one."""
        self._previous = -1
        self._repeated = 0

    def encode(self, encoder: RangeEncoder, symbol: int, above: int) -> None:
        """Code one symbol; `above`, the code of the codebook before, does not matter here."""
        if self._repeats and self._previous >= 0:
            none, one = counts = self._flags[self._repeated]
            self._repeated = int(symbol == self._previous)
            encoder.encode(none if self._repeated else 0, one if self._repeated else none, none + one)
            _count(counts, self._repeated)
            if self._repeated:
                return
        if self._increment:
            encoder.encode(self._start(symbol), self._frequency[symbol], self._total)
            self._learn(symbol)
        else:
            encoder.encode(symbol, 1, self._size)
        self._previous = symbol

    def decode(self, decoder: RangeDecoder, above: int) -> int:
        """The inverse of `encode`."""
        if self._repeats and self._previous >= 0:
            none, one = counts = self._flags[self._repeated]
            self._repeated = int(decoder.locate(none + one) >= none)
            decoder.accept(none if self._repeated else 0, one if self._repeated else none)
            _count(counts, self._repeated)
            if self._repeated:
                return self._previous
        if self._increment:
            symbol, start = self._find(decoder.locate(self._total))
            decoder.accept(start, self._frequency[symbol])
            self._learn(symbol)
        else:
            symbol = decoder.locate(self._size)
            decoder.accept(symbol, 1)
        self._previous = symbol
        return symbol

    def _learn(self, symbol: int) -> None:
        if self._total + self._increment > MAX_TOTAL:
            return  # full: the counts stay as they are
        self._total += self._increment
        self._frequency[symbol] += self._increment
        place = symbol + 1
        while place <= self._size:
            self._tree[place] += self._increment
            place += place & -place

    def _start(self, symbol: int) -> int:
        """Sum of the frequencies of all symbols below one."""
        total = 0
        while symbol:
            total += self._tree[symbol]
            symbol &= symbol - 1
        return total

    def _find(self, target: int) -> tuple[int, int]:
        """The symbol in whose share `target` lies, and where that begins."""
        symbol, start = 0, 0
        step = 1 << (self._size.bit_length() - 1)
        while step:
            place = symbol + step
            if place <= self._size and start + self._tree[place] <= target:
                symbol, start = place, start + self._tree[place]
            step >>= 1
        return symbol, start


def best_parameter(layers: Sequence[NDArray[np.integer]], sizes: tuple[int, ...]) -> tuple[int, int]:
    """Which parameter suits some codebooks best. In integers, so that every machine chooses alike.

    Args:
        layers: symbols [C, T] of each codebook.
        sizes: entries of each codebook.
    Returns:
        The parameter byte, and the size of the codes with it in bits (to about one bit per codebook).
    """
    costs: dict[int, int] = {}
    for repeats in (0, FLAG_REPEATS):
        parts = [_split_repeats(layer) if repeats else (layer.reshape(-1), 0) for layer in layers]
        occurrences = [_occurrences(symbols) for symbols, _ in parts]
        for exponent in (0, 1, 3, 5, 7, 9):
            costs[repeats | exponent] = sum(
                flag_cost + _cost(seen, size, exponent)
                for (_, flag_cost), seen, size in zip(parts, occurrences, sizes, strict=True)
            )
    parameter = min(costs, key=lambda key: (costs[key], key))
    return parameter, costs[parameter] >> _LOG2_BITS


def _split_repeats(layer: NDArray[np.integer]) -> tuple[NDArray[np.integer], int]:
    """The symbols that do not repeat the frame before, and the cost of saying which do."""
    repeated = layer[:, 1:] == layer[:, :-1]
    first = np.ones((len(layer), 1), dtype=bool)
    after = np.concatenate([~first, repeated[:, :-1]], axis=1)[:, : repeated.shape[1]]
    cost = sum(_flag_cost(repeated[after == context]) for context in (False, True))
    return layer[np.concatenate([first, ~repeated], axis=1)[:, : layer.shape[1]]], cost


def _flag_cost(flags: NDArray[np.bool_]) -> int:
    """Cost of a sequence of flags under counts that start at 1 and rise by 2."""
    ones = np.concatenate([[0], np.cumsum(flags)])[:-1].astype(np.int64)
    seen = np.arange(len(flags))
    same = np.where(flags, ones, seen - ones)
    log2 = _log2()
    keep = 2 * seen + 2 < len(log2)
    return int((log2[2 * seen[keep] + 2] - log2[2 * same[keep] + 1]).sum())


def _cost(seen: NDArray[np.int64], size: int, exponent: int) -> int:
    """Cost of symbols of which `seen` came before each, in 2**-12 bit; huge where the counts would overflow."""
    log2 = _log2()
    if not exponent or size > MAX_COUNTED:
        return len(seen) * int(log2[size])
    increment = 1 << (exponent - 1)
    if size + increment * len(seen) > MAX_TOTAL:
        return 1 << 40
    return int((log2[size + increment * np.arange(len(seen))] - log2[1 + increment * seen]).sum())


def _occurrences(symbols: NDArray[np.integer]) -> NDArray[np.int64]:
    """For each symbol, how many equal ones come before it."""
    order = np.argsort(symbols, kind="stable")
    ranked = symbols[order]
    places = np.arange(len(symbols))
    begins = np.concatenate([[True], ranked[1:] != ranked[:-1]])[: len(symbols)]
    seen = np.empty(len(symbols), dtype=np.int64)
    seen[order] = places - np.maximum.accumulate(np.where(begins, places, 0))
    return seen


@cache
def _log2() -> NDArray[np.int64]:
    """log2 of 0 (taken as 0) to 65536 in units of 2**-12, by repeated squaring: integers, the same on every machine."""
    numbers = np.maximum(np.arange(MAX_TOTAL + 1, dtype=np.uint64), np.uint64(1))
    whole = np.zeros(len(numbers), dtype=np.int64)
    for bit in range(1, 17):
        whole += numbers >= np.uint64(1 << bit)
    mantissa = numbers << (np.uint64(31) - whole.astype(np.uint64))  # in [2**31, 2**32)
    result = whole << _LOG2_BITS
    for bit in range(_LOG2_BITS - 1, -1, -1):
        mantissa = mantissa * mantissa >> np.uint64(31)
        doubled = mantissa >> np.uint64(32)
        mantissa >>= doubled
        result += doubled.astype(np.int64) << bit
    return result


@cache
def _ones(size: int) -> tuple[int, ...]:
    """Fenwick tree of `size` ones."""
    return tuple(place & -place for place in range(size + 1))


def _count(counts: list[int], which: int) -> None:
    if sum(counts) + 2 <= MAX_TOTAL:
        counts[which] += 2
