"""Nearest-codeword search: the hot loop of every encoder, in float32 or float64, never under autocast."""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

CPU_BLOCK = 256  # rows whose scores against ~1000 codewords (1 MiB) stay in a core's cache between product and argmin
GPU_BLOCK = 65_536  # only bounds memory
PAIR_BLOCK = 16_384  # rows and codewords compared one by one at a time; only bounds memory
SCREENED_ROWS, SCREENED_DIM = 64, 32  # from here on a float32 copy of the table pays for a single call


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
    def coarse(self) -> tuple[Tensor, Tensor]:
        """Points and offsets in float32."""
        return self.points.float(), self.offsets.float()

    @cached_property
    def reach(self) -> tuple[float, float]:
        """Largest length of a point and largest offset: what rounding errors are proportional to."""
        return float(self.lengths.max()), float(self.offsets.abs().max())


def block_size(rows: Tensor) -> int:
    """Rows to handle at a time on the device of `rows`."""
    return CPU_BLOCK if rows.device.type == "cpu" else GPU_BLOCK


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
        if len(rows) <= block_size(rows):
            return _search(rows, table)
        return torch.cat([_search(block, table) for block in rows.split(block_size(rows))])


def _search(rows: Tensor, table: Table) -> Tensor:
    if rows.device.type != "cpu" or torch.compiler.is_compiling():
        return torch.addmm(table.offsets, rows, table.points.t(), alpha=-1).argmin(dim=1)
    if rows.dtype == torch.float64:
        return _exact(rows, table)
    scores = torch.addmm(table.offsets, rows, table.points.t(), alpha=-1)
    # On the CPU torch's argmin over the last axis takes longer than the matrix product; NumPy's is vectorised.
    return torch.from_numpy(scores.numpy().argmin(axis=1))


def _exact(rows: Tensor, table: Table) -> Tensor:
    """The float64 answer, for many rows at little more than the price of float32.

    The scores of a matrix product (in float32 where that pays) decide wherever the second best is further off than
    rounding can explain. All codewords within that distance of the best are then compared one by one.
    """
    screened = table.held or (len(rows) >= SCREENED_ROWS and rows.shape[1] >= SCREENED_DIM)
    points, offsets = table.coarse if screened else (table.points, table.offsets)
    scores = torch.addmm(offsets, rows.to(points.dtype), points.t(), alpha=-1).numpy()
    # NumPy: for one row, a live stream, its calls take a third of the time of torch's.
    each, best = np.arange(len(rows)), scores.argmin(axis=1)
    lowest = scores[each, best]
    scores[each, best] = np.inf
    margin = _rounding(rows, table, points.dtype)
    with np.errstate(invalid="ignore"):
        unsure = ~(scores.min(axis=1) - lowest > margin)  # also where infinities make it not a number
    if unsure.any():
        scores[each, best] = lowest
        with np.errstate(invalid="ignore"):
            near = ~(scores[unsure] - lowest[unsure, None] > margin[unsure, None])
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
