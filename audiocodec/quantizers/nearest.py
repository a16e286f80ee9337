"""Nearest-codeword search: the hot loop of every encoder, in float32 or float64, never under autocast."""

from typing import NamedTuple

import torch
from torch import Tensor

CPU_BLOCK = 256  # rows whose scores against ~1000 codewords (1 MiB) stay in a core's cache between product and argmin
GPU_BLOCK = 65_536  # only bounds memory


class Table(NamedTuple):
    """What a search scores against: codeword k has the score offsets[k] - <row, points[k]>, lowest wins.

    With points = codewords and offsets = |codeword|^2 / 2 this is the nearest codeword: |row|^2 is the same for all.
    """

    points: Tensor  # [K, D]
    offsets: Tensor  # [K]

    @classmethod
    def of(cls, points: Tensor) -> "Table":
        """Table for the Euclidean nearest of `points` [K, D]."""
        return cls(points, torch.linalg.vecdot(points, points) / 2)


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
        points, size = table.points.t(), block_size(rows)
        if len(rows) <= size:
            return _lowest(torch.addmm(table.offsets, rows, points, alpha=-1))
        return torch.cat([_lowest(torch.addmm(table.offsets, r, points, alpha=-1)) for r in rows.split(size)])


def _lowest(scores: Tensor) -> Tensor:
    if scores.device.type == "cpu" and not torch.compiler.is_compiling():
        # On the CPU torch's argmin over the last axis takes longer than the matrix product; NumPy's is vectorised.
        return torch.from_numpy(scores.detach().numpy().argmin(axis=1))
    return scores.argmin(dim=1)
