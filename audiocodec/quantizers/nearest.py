"""Nearest-codeword search: the hot loop of every encoder, in float32 or float64, never under autocast."""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

# Scores a CPU thread makes before it looks for the best of them: enough rows that calls cost nothing beside their work,
# few enough that the scores are still cached when argmin reads them. Measured by benchmarks/search_block.py.
CPU_SCORES, CPU_ROWS = 2**19, (64, 1024)
GPU_BLOCK = 65_536  # rows; only bounds memory
PAIR_BLOCK = 16_384  # rows and codewords compared one by one at a time; only bounds memory
SCREENED_ROWS, SCREENED_DIM = 64, 32  # from here on a float32 copy of the table pays for a single call
# A product of few dimensions is as fast as it can write its scores, and rows of scores that lie whole pages apart share
# the same few places of the cache: that costs up to half of the time. A few columns more, and they do not.
STRIDE_BYTES, PADDING, PADDED_ROWS, PADDED_DIM = 2048, 16, 64, 16


class Table:
    """What a search scores against: codeword k has the score offsets[k] - <row, points[k]>, and the lowest wins.

    With points = codewords and offsets = |codeword|^2 / 2 this is the nearest codeword: |row|^2 is the same for all.
    A table is made for one call and thrown away, so it cannot fall behind the parameters; only quantizers that will
    not change any more keep theirs (`hold_tables`).

    Args:
        points: [K, D].
        offsets: [K]; None for nearest points.
    """

    def __init__(self, points: Tensor, offsets: Tensor | None = None):
        self.points = points
        self.held = False  # for many calls
        # A norm squared again: one pass over the codewords without a temporary, which is what a live stream waits for.
        self.lengths = torch.linalg.vector_norm(points, dim=1)
        self.offsets = self.lengths.square() / 2 if offsets is None else offsets

    @cached_property
    def padded(self) -> tuple[Tensor, Tensor]:
        """Points and offsets with PADDING rows more, whose scores mean nothing."""
        more = torch.zeros(PADDING, 1, dtype=self.points.dtype)
        return torch.cat([self.points, more.expand(-1, self.points.shape[1])]), torch.cat([self.offsets, more[:, 0]])

    @cached_property
    def coarse(self) -> tuple[Tensor, Tensor]:
        """Points and offsets in float32."""
        return self.points.float(), self.offsets.float()

    @cached_property
    def reach(self) -> tuple[float, float]:
        """Largest length of a point and largest offset: what rounding errors are proportional to."""
        return float(self.lengths.max()), float(self.offsets.abs().max())


def block_size(rows: Tensor, table: Table) -> int:
    """Rows to handle at a time on the device of `rows`."""
    if rows.device.type != "cpu" or torch.compiler.is_compiling():  # the number of threads would break the graph
        return GPU_BLOCK
    least, most = CPU_ROWS
    return min(max(CPU_SCORES // len(table.points), least), most) * torch.get_num_threads()


def nearest(rows: Tensor, table: Table) -> Tensor:
    """Index of the best point of `table` for each row; of equal scores the lowest index wins.

    In float64 on the CPU the answer for a row does not depend on the other rows, on their number or on the order in
    which a matrix product adds: scores closer than its rounding errors are computed again, each on its own.

    Args:
        rows: [N, D], float32 or float64, the dtype of the table.
        table: see Table; D dimensions, K points.
    Returns:
        [N] int64 in [0, K).
    """
    with torch.no_grad():
        block = block_size(rows, table)
        if len(rows) <= block:
            return _search(rows, table)
        return torch.cat([_search(some, table) for some in rows.split(block)])


def _search(rows: Tensor, table: Table) -> Tensor:
    if rows.device.type != "cpu" or torch.compiler.is_compiling():
        return torch.addmm(table.offsets, rows, table.points.t(), alpha=-1).argmin(dim=1)
    if rows.dtype == torch.float64:
        return _exact(rows, table)
    # On the CPU torch's argmin over the last axis takes longer than the matrix product; NumPy's is vectorised.
    return torch.from_numpy(_scores(rows, table).numpy().argmin(axis=1))


def _scores(rows: Tensor, table: Table) -> Tensor:
    """[N, K], or with columns of infinity behind the K scores where that is faster (see PADDING)."""
    size, few = len(table.points), len(rows) < PADDED_ROWS or rows.shape[1] > PADDED_DIM
    if few or size * rows.element_size() % STRIDE_BYTES:
        return torch.addmm(table.offsets, rows, table.points.t(), alpha=-1)
    points, offsets = table.padded
    scores = torch.addmm(offsets, rows, points.t(), alpha=-1)
    scores[:, size:] = torch.inf
    return scores


def _exact(rows: Tensor, table: Table) -> Tensor:
    """The float64 answer, for many rows at little more than the price of float32.

    The scores of a matrix product (in float32 where that pays) decide wherever the second best is further off than
    rounding can explain. All codewords within that distance of the best are then compared one by one.
    """
    screened = table.held or (len(rows) >= SCREENED_ROWS and rows.shape[1] >= SCREENED_DIM)
    if screened:
        points, offsets = table.coarse
        scores = torch.addmm(offsets, rows.float(), points.t(), alpha=-1).numpy()
    else:
        scores = _scores(rows, table).numpy()
    # NumPy: for one row, a live stream, its calls take a third of the time of torch's.
    each, best = np.arange(len(rows)), scores.argmin(axis=1)
    lowest = scores[each, best]
    scores[each, best] = np.inf
    margin = _rounding(rows, table, torch.float32 if screened else rows.dtype)
    with np.errstate(invalid="ignore"):
        unsure = ~(scores.min(axis=1) - lowest > margin)  # also where infinities make it not a number
    if unsure.any():
        scores[each, best] = lowest
        with np.errstate(invalid="ignore"):
            near = ~(scores[unsure, : len(table.points)] - lowest[unsure, None] > margin[unsure, None])
        best[unsure] = _compare(rows[torch.from_numpy(unsure)], table, torch.from_numpy(near))
    return torch.from_numpy(best)


def _rounding(rows: Tensor, table: Table, dtype: torch.dtype) -> np.ndarray:
    """How far off the difference of two scores [N] can be, at most.

    A sum of D + 1 products, in any order and of operands rounded once, is off by less than (D + 8) u times the sum of
    the magnitudes, where u is half the spacing of numbers at 1; and a difference of two by twice that.
    """
    longest, largest = table.reach
    unit = (rows.shape[1] + 8) * torch.finfo(dtype).eps
    values = rows.numpy()
    return unit * (np.sqrt(np.einsum("nd,nd->n", values, values)) * longest + largest)


def _compare(rows: Tensor, table: Table, near: Tensor) -> np.ndarray:
    """Best of the candidates `near` [N, K] bool of each row, every score computed on its own: [N] int64."""
    scores = torch.full(near.shape, torch.inf, dtype=rows.dtype)
    row, code = torch.nonzero(near, as_tuple=True)
    for some, codes in zip(row.split(PAIR_BLOCK), code.split(PAIR_BLOCK), strict=True):
        products = (rows[some] * table.points[codes]).sum(dim=1)
        scores[some, codes] = table.offsets[codes] - products
    best: np.ndarray = scores.numpy().argmin(axis=1)
    return best
