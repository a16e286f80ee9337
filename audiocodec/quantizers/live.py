"""The search through a residual stack for the few vectors of a live stream, where calls cost more than arithmetic.

The same answers as stage after stage by nearest.py: float32 scores decide wherever the second best is further off than
rounding can explain, and float64 the rest. NumPy: its calls on small arrays take a third of the time of torch's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from .nearest import Table, nearest

MAX_ROWS = 64  # for more nearest.py is as fast


@dataclass(frozen=True)
class _Stage:
    table: Table
    points: np.ndarray  # [K, D] float64
    columns: np.ndarray  # [D, K] float32
    offsets: np.ndarray  # [K] float32
    longest: float
    largest: float


class LiveSearch:
    """Codes of at most MAX_ROWS rows through stages that subtract the very points that they search among."""

    def __init__(self, stages: list[_Stage]):
        self.stages = stages

    @classmethod
    def of(cls, tables: Sequence[Table | None], points: Sequence[Tensor]) -> Self | None:
        """Prepare for stages that search in `tables` and subtract `points` [K, D], in float64 on the CPU; else None."""
        if any(t.dtype != torch.float64 or t.device.type != "cpu" for t in points):
            return None
        kept = [t for t, p in zip(tables, points, strict=True) if t is not None and torch.equal(t.points, p)]
        if len(kept) < len(tables):
            return None
        return cls(
            [
                _Stage(
                    table,
                    table.points.numpy(),
                    np.ascontiguousarray(table.points.numpy().T.astype(np.float32)),
                    table.offsets.numpy().astype(np.float32),
                    *table.reach,
                )
                for table in kept
            ]
        )

    def encode(self, rows: Tensor, n_q: int) -> Tensor:
        """Rows [N, D] float64 -> codes [N, n_q] int64."""
        left = rows.numpy()
        codes = np.empty((len(left), n_q), np.int64)
        each = np.arange(len(left))
        unit = (left.shape[1] + 8) * float(np.finfo(np.float32).eps)
        for index, stage in enumerate(self.stages[:n_q]):
            scores = stage.offsets - left.astype(np.float32) @ stage.columns
            best = scores.argmin(axis=1)
            lowest = scores[each, best]
            scores[each, best] = np.inf
            length = np.sqrt(np.einsum("nd,nd->n", left, left))
            # See nearest._rounding.
            sure = scores.min(axis=1) - lowest > unit * (length * stage.longest + stage.largest)
            if not sure.all():
                best = nearest(torch.from_numpy(left), stage.table).numpy()
            codes[:, index] = best
            left = left - stage.points[best]
        return torch.from_numpy(codes)
