"""Training of static entropy tables from the codes of a model: which contexts pay, and how often each code comes.

Floating point is used here only to choose numbers; the tables, and all that is computed from them, are integer.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ShapeError
from .range_coder import MAX_TOTAL
from .tables import MAX_CELLS, MAX_TABLE_SIZE, LayerTable, Tables

_CLASSES = (1, 2, 4, 8, 16, 32, 64, 128)  # numbers of context classes that are tried
_STRENGTHS = (25.0, 100.0, 400.0, 1600.0)  # pseudo-counts with which rare contexts fall back on commoner ones
_HELD_OUT = 8  # one packet in so many chooses; the others are counted
_ROUNDS = 12  # of clustering


@dataclass(frozen=True)
class _Sequence:
    """One codebook's codes with their contexts, [M] each; `before` is `size` where a packet begins."""

    codes: NDArray[np.int64]
    before: NDArray[np.int64]
    above: NDArray[np.int64]

    def where(self, keep: NDArray[np.bool_]) -> "_Sequence":
        return _Sequence(self.codes[keep], self.before[keep], self.above[keep])


def train_tables(
    recordings: Iterable[NDArray[np.integer]],
    codebook_sizes: tuple[int, ...],
    *,
    packet_frames: int = 250,
    max_rows: int = 128,
) -> Tables:
    """Make tables that code the given recordings, and others like them, in few bits.

    Args:
        recordings: codes [K, T] or [C, K, T] of each; space-filling codes must have been shifted to their segments.
        codebook_sizes: entries of each codebook.
        packet_frames: frames per packet in the files to come; the first frame of each has no frame before it.
        max_rows: rows per codebook at most; a row takes two bytes per entry before compression.
    Returns:
        Tables; for each codebook the number of context classes that does best on an eighth of the data held out.
    Raises:
        ShapeError: a recording is not [K, T] or [C, K, T].
        ConfigError: a codebook is too large for tables, or there are fewer than 8 packets of codes.
    """
    if max(codebook_sizes) > MAX_TABLE_SIZE:
        raise ConfigError(f"tables are for codebooks of up to {MAX_TABLE_SIZE} entries, got {max(codebook_sizes)}")
    packets = _packets(recordings, len(codebook_sizes), packet_frames)
    if len(packets) < _HELD_OUT:
        raise ConfigError(f"tables need at least {_HELD_OUT} packets of codes, got {len(packets)}")
    number = np.concatenate([np.full(packet.shape[1], index) for index, packet in enumerate(packets)])
    codes = np.concatenate(packets, axis=1).astype(np.int64)
    begins = np.concatenate([[True], number[1:] != number[:-1]])
    layers = []
    for k, size in enumerate(codebook_sizes):
        if codes[k].max() >= size:
            raise ShapeError(f"code {codes[k].max()} of codebook {k} is outside 0 to {size - 1}")
        before = np.where(begins, size, np.roll(codes[k], 1))
        above = codes[k - 1] if k else np.zeros_like(codes[k])
        sequence = _Sequence(codes[k], before, above)
        rows = max(1, min(max_rows, MAX_CELLS // size))
        layers.append(_train_layer(sequence, number % _HELD_OUT == 0, size, codebook_sizes[k - 1] if k else 1, rows))
    return Tables(tuple(layers))


def bits_per_code(tables: Tables, recordings: Iterable[NDArray[np.integer]], packet_frames: int) -> NDArray[np.float64]:
    """What the codes of each codebook cost with some tables, without the rounding to bytes.

    Args:
        tables, recordings, packet_frames: as in `train_tables`.
    Returns:
        [K] bits.
    """
    totals = np.zeros(len(tables.layers))
    count = 0
    for packet in _packets(recordings, len(tables.layers), packet_frames):
        codes = packet.astype(np.int64)
        count += codes.shape[1]
        for k, layer in enumerate(tables.layers):
            before = np.concatenate([[layer.size], codes[k, :-1]])
            above = codes[k - 1] if k else np.zeros_like(codes[k])
            context = layer.previous_class[before].astype(np.int64)
            chance = np.where(before < layer.size, layer.repeat[context], 0) / MAX_TOTAL
            row = layer.frequency[context * layer.n_above + layer.above_class[above], codes[k]] / MAX_TOTAL
            repeated = (codes[k] == before) & (chance > 0)
            totals[k] -= np.log2(np.where(repeated, chance, (1 - chance) * row)).sum()
    return totals / max(count, 1)


def _packets(recordings: Iterable[NDArray[np.integer]], n_q: int, packet_frames: int) -> list[NDArray[np.integer]]:
    """All recordings and channels cut into [K, up to packet_frames]."""
    packets = []
    for recording in recordings:
        for codes in recording[None] if recording.ndim == 2 else recording:
            if codes.ndim != 2 or len(codes) != n_q:
                raise ShapeError(f"codes must be [{n_q}, T] or [C, {n_q}, T], got {list(recording.shape)}")
            packets += [codes[:, start : start + packet_frames] for start in range(0, codes.shape[1], packet_frames)]
    return packets


def _train_layer(sequence: _Sequence, held: NDArray[np.bool_], size: int, size_above: int, rows: int) -> LayerTable:
    """Choose contexts on the held-out part, then count everything."""
    counted, tried = sequence.where(~held), sequence.where(held)
    base = _share(np.bincount(counted.codes, minlength=size)[None] + 0.5)[0]
    maps_before = _class_maps(counted.before, counted.codes, size + 1, base, rows)
    maps_above = _class_maps(counted.above, counted.codes, size_above, base, rows)

    def attempt(n_before: int, n_above: int, repeats: bool) -> tuple[float, float, int, int, bool]:
        """Bits for the held-out part with the best strength; then what was used."""
        before, above = maps_before[n_before], maps_above[n_above]
        chance, counts = _count(counted, before, above, repeats, size)
        costs = [(_cost(tried, before, above, chance, _smooth(counts, base, s)), s) for s in _STRENGTHS]
        return (*min(costs), n_before, n_above, repeats)

    *_, repeats = min(attempt(n, 1, repeats) for n in maps_before for repeats in (False, True))
    pairs = ((n, m) for n in maps_before for m in maps_above if n * m <= rows)
    _, strength, n_before, n_above, _ = min(attempt(n, m, repeats) for n, m in pairs)
    before, above = maps_before[n_before], maps_above[n_above]
    base = _share(np.bincount(sequence.codes, minlength=size)[None] + 0.5)[0]
    chance, counts = _count(sequence, before, above, repeats, size)
    repeat = np.round(chance * MAX_TOTAL).clip(0, MAX_TOTAL - 1).astype(np.uint16)
    if repeats:
        repeat = np.maximum(repeat, 1).astype(np.uint16)
    layer = LayerTable(
        before.astype(np.uint8), above.astype(np.uint8), repeat, _quantise(_smooth(counts, base, strength))
    )
    layer.check()
    return layer


def _class_maps(
    context: NDArray[np.int64], codes: NDArray[np.int64], n_contexts: int, base: NDArray[np.float64], rows: int
) -> dict[int, NDArray[np.int64]]:
    """For several numbers of classes, which context belongs to which."""
    counts = np.bincount(context * len(base) + codes, minlength=n_contexts * len(base)).reshape(n_contexts, -1)
    allowed = [n for n in _CLASSES if n <= min(n_contexts, rows)]
    return {n: _cluster(counts.astype(np.float64), n, base) for n in allowed}


def _cluster(counts: NDArray[np.float64], n_classes: int, base: NDArray[np.float64]) -> NDArray[np.int64]:
    """Group rows of counts so that one distribution per group costs few bits: k-means with the cost of coding."""
    commonest = np.argsort(-counts.sum(axis=1), kind="stable")[:n_classes]
    share: NDArray[np.float64] = _share(counts[commonest] + 50 * base)
    classes = np.zeros(len(counts), dtype=np.int64)
    for _ in range(_ROUNDS if n_classes > 1 else 0):
        classes = (counts @ -np.log(share).T).argmin(axis=1)
        member = np.arange(n_classes)[:, None] == classes
        share = _share(member.astype(np.float64) @ counts + 30 * base)
    return classes


def _count(
    sequence: _Sequence, before: NDArray[np.int64], above: NDArray[np.int64], repeats: bool, size: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Chance of a repeat [classes before], and how often each code comes [classes before, classes above, N]."""
    n_before, n_above = int(before.max()) + 1, int(above.max()) + 1
    context = before[sequence.before]
    codes, row = sequence.codes, context * n_above + above[sequence.above]
    chance = np.zeros(n_before)
    if repeats:
        repeated = codes == sequence.before
        times = np.bincount(context[sequence.before < size], minlength=n_before)
        chance = (np.bincount(context[repeated], minlength=n_before) + 0.5) / (times + 1.0)
        codes, row = codes[~repeated], row[~repeated]
    counts = np.bincount(row * size + codes, minlength=n_before * n_above * size)
    return chance, counts.reshape(n_before, n_above, size)


def _smooth(counts: NDArray[np.int64], base: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
    """Shares of the codes [classes before * classes above, N].

    A pair of classes that is rare falls back on the product of what each class says alone, and a rare class on `base`.
    """
    of_before = _share(counts.sum(axis=1) + strength * base)
    of_above = _share(counts.sum(axis=0) + strength * base)
    product = _share(of_before[:, None] * of_above[None] / base)
    return _share(counts + strength * product).reshape(-1, len(base))


def _cost(
    sequence: _Sequence,
    before: NDArray[np.int64],
    above: NDArray[np.int64],
    chance: NDArray[np.float64],
    share: NDArray[np.float64],
) -> float:
    """Bits that a sequence takes."""
    context = before[sequence.before]
    at_start = sequence.before == share.shape[1]
    likely = np.where(at_start, 0.0, chance[context])
    row = context * (len(share) // len(chance)) + above[sequence.above]
    repeated = (sequence.codes == sequence.before) & (likely > 0)
    return float(-np.log2(np.where(repeated, likely, (1 - likely) * share[row, sequence.codes])).sum())


def _share(counts: NDArray[np.floating]) -> NDArray[np.float64]:
    return counts / counts.sum(axis=-1, keepdims=True)


def _quantise(share: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Integers from 1 up that sum to 65536 in each row and lie close to the shares."""
    size = share.shape[1]
    frequency = 1 + np.floor(share * (MAX_TOTAL - size)).astype(np.int64)
    for row in frequency:
        row[np.argsort(-row, kind="stable")[: MAX_TOTAL - row.sum()]] += 1  # fewer than `size` are left over
    return frequency.astype(np.uint16)
