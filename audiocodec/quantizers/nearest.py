"""Nearest-codeword search: the hot loop of every encoder, in float32 or float64, never under autocast."""

from functools import cached_property

import torch
from torch import Tensor

CPU_BLOCK = 256  # rows whose scores against ~1000 codewords (1 MiB) stay in a core's cache between product and argmin
GPU_BLOCK = 65_536  # only bounds memory
SCREENED_ROWS, SCREENED_DIM = 64, 32  # from here on a float32 copy of the table and a second look at the scores pay


class Table:
    """What a search scores against: codeword k has the score offsets[k] - <row, points[k]>, and the lowest wins.

    With points = codewords and offsets = |codeword|^2 / 2 this is the nearest codeword: |row|^2 is the same for all.
    A table is made for one call and thrown away, so it cannot fall behind the parameters.

    Args:
        points: [K, D].
        offsets: [K]; None for nearest points.
    """

    def __init__(self, points: Tensor, offsets: Tensor | None = None):
        self.points = points
        self.offsets = torch.linalg.vecdot(points, points) / 2 if offsets is None else offsets

    @cached_property
    def coarse(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Float32 points and offsets, and a bound of what rounding does to a score: slope * |row| + constant.

        A float32 sum of D + 1 products, in any order and of operands rounded to float32, is off by less than
        (D + 8) u times the sum of the magnitudes, u = 2^-24; twice that for a comparison of two scores.
        """
        unit = 2 * (self.points.shape[1] + 8) * 2.0**-24
        slope = unit * torch.linalg.vector_norm(self.points, dim=1).max()
        return self.points.float(), self.offsets.float(), slope, unit * self.offsets.abs().max()


def block_size(rows: Tensor) -> int:
    """Rows to handle at a time on the device of `rows`."""
    return CPU_BLOCK if rows.device.type == "cpu" else GPU_BLOCK


def nearest(rows: Tensor, table: Table) -> Tensor:
    """Index of the best point of `table` for each row; a tie goes to the lowest index.

    Args:
        rows: [N, D], float32 or float64, the dtype of the table.
        table: see Table; D dimensions, K points.
    Returns:
        [N] int64 in [0, K).
    """
    with torch.no_grad():
        on_host = rows.device.type == "cpu" and not torch.compiler.is_compiling()
        if len(rows) <= block_size(rows):
            return _search(rows, table, on_host)
        return torch.cat([_search(block, table, on_host) for block in rows.split(block_size(rows))])


def _search(rows: Tensor, table: Table, on_host: bool) -> Tensor:
    if on_host and rows.dtype == torch.float64 and len(rows) >= SCREENED_ROWS and rows.shape[1] >= SCREENED_DIM:
        return _screened(rows, table)
    scores = torch.addmm(table.offsets, rows, table.points.t(), alpha=-1)
    if on_host:  # on the CPU torch's argmin over the last axis takes longer than the product; NumPy's is vectorised
        return torch.from_numpy(scores.numpy().argmin(axis=1))
    return scores.argmin(dim=1)


def _screened(rows: Tensor, table: Table) -> Tensor:
    """The float64 answer at little more than the price of float32.

    Float32 scores decide wherever the second best is further off than rounding can explain; only the other rows
    (about one in a thousand) are scored in float64.
    """
    points, offsets, slope, constant = table.coarse
    scores = torch.addmm(offsets, rows.float(), points.t(), alpha=-1)
    best = torch.from_numpy(scores.numpy().argmin(axis=1))
    lowest = scores.gather(1, best[:, None])
    second = torch.from_numpy(scores.scatter_(1, best[:, None], torch.inf).numpy().min(axis=1))
    doubt = second - lowest[:, 0] <= slope * torch.linalg.vector_norm(rows, dim=1) + constant
    unsure = torch.nonzero(doubt | ~torch.isfinite(lowest[:, 0]))[:, 0]
    if len(unsure):
        exact = torch.addmm(table.offsets, rows[unsure], table.points.t(), alpha=-1)
        best[unsure] = torch.from_numpy(exact.numpy().argmin(axis=1))
    return best
