"""The search through a residual stack whose codewords stay: for the few vectors of a live stream, and along paths.

The same answers as stage after stage by nearest.py, and as by paths.py: float32 scores decide wherever others are
further off than rounding can explain, and float64 the rest. NumPy: its calls on small arrays take a third of the time
of torch's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from .nearest import Table, nearest

MAX_ROWS = 64  # of a search without paths; for more nearest.py is as fast
PATH_ROWS = 128  # at a time: the scores of their paths stay in the cache


@dataclass(frozen=True)
class _Stage:
    table: Table
    points: np.ndarray  # [K, D] float64
    columns: np.ndarray  # [D, K] float32
    offsets: np.ndarray  # [K] float32
    longest: float
    largest: float


class LiveSearch:
    """Codes of rows through stages that subtract the very points that they search among."""

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

    def best_paths(self, rows: Tensor, n_q: int, width: int) -> Tensor:
        """As `paths.best_paths`: rows [N, D] float64 -> codes [N, n_q] int64, following `width` paths."""
        blocks = [self._best_paths(block.numpy(), n_q, width) for block in rows.split(PATH_ROWS)]
        return torch.from_numpy(np.concatenate(blocks))

    def _best_paths(self, rows: np.ndarray, n_q: int, width: int) -> np.ndarray:
        left, each = rows[:, None], np.arange(len(rows))[:, None]  # left [N, paths, D], the best path first
        codes, parents = [], []
        for stage in self.stages[:n_q]:
            choice = _lowest(left, stage, width)
            codes.append(choice % len(stage.points))
            parents.append(choice // len(stage.points))
            left = left[each, parents[-1]] - stage.points[codes[-1]]
        out, path = np.empty((len(rows), n_q), np.int64), np.zeros_like(each)
        for index in reversed(range(n_q)):
            out[:, index] = codes[index][each, path][:, 0]
            path = parents[index][each, path]
        return out


def _lowest(left: np.ndarray, stage: _Stage, width: int) -> np.ndarray:
    """Places path * K + code of the `width` lowest errors of each row, lowest first: [N, width] int64."""
    n_rows, _, dim = left.shape
    energy = np.einsum("npd,npd->np", left, left) / 2
    scores = left.reshape(-1, dim).astype(np.float32) @ stage.columns
    np.subtract(stage.offsets, scores, out=scores)
    scores += energy.reshape(-1, 1).astype(np.float32)
    values, each = scores.reshape(n_rows, -1), np.arange(n_rows)
    choice, found = _take_lowest(values, min(width, values.shape[1]))
    most = energy.max(axis=1)
    unit = (dim + 10) * float(np.finfo(np.float32).eps)  # see nearest._rounding; the energy is one more summand
    margin = unit * (np.sqrt(2 * most) * stage.longest + stage.largest + most)
    unsure = np.flatnonzero(~(np.diff(found, axis=1) > margin[:, None]).all(axis=1))
    if len(unsure):
        values[each[:, None], choice] = found[:, :-1]
        near = ~(values[unsure] > (found[unsure, -2] + margin[unsure])[:, None])
        choice[unsure] = _decide(left[unsure], energy[unsure], stage, near, choice.shape[1])
    return choice


def _decide(left: np.ndarray, energy: np.ndarray, stage: _Stage, near: np.ndarray, count: int) -> np.ndarray:
    """Places of the `count` lowest errors in float64 among the candidates `near` [N, paths * K] of each row."""
    row, place = np.nonzero(near)
    path, code = np.divmod(place, len(stage.points))
    products = np.einsum("md,md->m", left[row, path], stage.points[code])
    order = np.lexsort((place, energy[row, path] + stage.table.offsets.numpy()[code] - products, row))
    first = np.searchsorted(row, np.arange(len(left)))
    return place[order][first[:, None] + np.arange(count)]


def _take_lowest(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Places [N, count] of the lowest values [N, M], lowest first, of equal ones the first; and the values
    [N, count + 1] of those and of the next one. Overwrites `values`; a few times argmin is faster than to sort."""
    places, found, each = [], [], np.arange(len(values))
    for _ in range(count):
        places.append(values.argmin(axis=1))
        found.append(values[each, places[-1]])
        values[each, places[-1]] = np.inf
    found.append(values.min(axis=1))
    return np.stack(places, axis=1), np.stack(found, axis=1)
