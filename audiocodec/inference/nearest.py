"""The nearest-codeword search of quantizers/nearest.py on NumPy arrays: the same answers, ties included."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

BLOCK = 256  # rows whose scores against ~1000 codewords stay in a core's cache between product and argmin
PAIR_BLOCK = 16_384  # rows and codewords compared one by one at a time; only bounds memory
SCREENED_ROWS, SCREENED_DIM = 64, 32  # from here on a float32 copy of the table pays


@dataclass(frozen=True, eq=False)
class Table:
    """Codeword k has the score offsets[k] - <row, points[k]>; the lowest wins, of equal ones the first.

    Args:
        points: [K, D] float64.
        offsets: [K] float64: half of the squared lengths for nearest points.
    """

    points: Array
    offsets: Array

    @classmethod
    def of(cls, points: Array) -> "Table":
        """The table that finds the nearest point."""
        return cls(points, np.einsum("kd,kd->k", points, points) / 2)

    @cached_property
    def coarse(self) -> tuple[Array, Array]:
        """Points and offsets in float32."""
        return self.points.astype(np.float32), self.offsets.astype(np.float32)

    @cached_property
    def reach(self) -> tuple[float, float]:
        """Largest length of a point and largest offset: what rounding errors are proportional to."""
        lengths = np.sqrt(np.einsum("kd,kd->k", self.points, self.points))
        return float(lengths.max()), float(np.abs(self.offsets).max())


def nearest(rows: Array, table: Table) -> NDArray[np.int64]:
    """Index of the best point of `table` for each row [N, D] float64; independent of the other rows: [N] int64.

    The scores of a matrix product (in float32 where that pays) decide wherever the second best is further off than
    rounding can explain; what is closer is computed again, score by score.
    """
    codes = [_search(rows[start : start + BLOCK], table) for start in range(0, len(rows), BLOCK)]
    return np.concatenate(codes) if codes else np.zeros(0, np.int64)


def _search(rows: Array, table: Table) -> NDArray[np.int64]:
    screened = len(rows) >= SCREENED_ROWS and rows.shape[1] >= SCREENED_DIM
    points, offsets = table.coarse if screened else (table.points, table.offsets)
    scores = rows.astype(points.dtype, copy=False) @ points.T
    np.subtract(offsets, scores, out=scores)
    every = np.arange(len(rows))
    best = scores.argmin(axis=1)
    lowest = scores[every, best]
    scores[every, best] = np.inf
    rivals = scores.min(axis=1)
    scores[every, best] = lowest
    margin = _rounding(rows, table, points.dtype)
    unsure = np.flatnonzero(~(rivals - lowest > margin))  # also where infinities make it not a number
    if len(unsure):
        near = ~(scores[unsure] - lowest[unsure, None] > margin[unsure, None])
        best[unsure] = _compare(rows[unsure], table, near)
    return best


def _rounding(rows: Array, table: Table, dtype: Any) -> Array:
    """How far off the difference of two scores [N] can be, at most; derived in quantizers/nearest.py."""
    longest, largest = table.reach
    unit = (rows.shape[1] + 8) * float(np.finfo(dtype).eps)
    return unit * (np.sqrt(np.einsum("nd,nd->n", rows, rows)) * longest + largest)


def _compare(rows: Array, table: Table, near: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Best of the candidates `near` [N, K] of each row, every score computed on its own: [N] int64."""
    scores = np.full(near.shape, np.inf)
    row, code = np.nonzero(near)
    for start in range(0, len(row), PAIR_BLOCK):
        some, codes = row[start : start + PAIR_BLOCK], code[start : start + PAIR_BLOCK]
        scores[some, codes] = table.offsets[codes] - (rows[some] * table.points[codes]).sum(axis=1)
    return scores.argmin(axis=1)
