"""The multi-path search of quantizers/paths.py, which explains it, on NumPy arrays: the same codes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ROWS = 128  # at a time: fewer cost calls, more leave the cache


def best_paths(rows: Array, tables: Sequence[Array], width: int) -> NDArray[np.int64]:
    """Codes whose points add up to something near each row: the best of the paths that were followed.

    Args:
        rows: [N, D] float64.
        tables: the points [K, D] float64 of every stage.
        width: paths followed, at least 1.
    Returns:
        [N, stages] int64.
    """
    offsets = [np.einsum("kd,kd->k", table, table) / 2 for table in tables]
    out = np.zeros((len(rows), len(tables)), np.int64)
    for start in range(0, len(rows), ROWS):
        out[start : start + ROWS] = _best_paths(rows[start : start + ROWS], tables, offsets, width)
    return out


def _best_paths(rows: Array, tables: Sequence[Array], offsets: Sequence[Array], width: int) -> NDArray[np.int64]:
    each = np.arange(len(rows))[:, None]
    left, codes, parents = rows[:, None], [], []  # left [N, paths, D], what a path has yet to code; best path first
    for table, offset in zip(tables, offsets, strict=True):
        scores = left.reshape(-1, left.shape[2]) @ table.T
        np.subtract(offset, scores, out=scores)
        scores += np.einsum("npd,npd->np", left, left).reshape(-1, 1) / 2
        choice = _lowest(scores.reshape(len(rows), -1), width)
        codes.append(choice % len(table))
        parents.append(choice // len(table))
        left = left[each, parents[-1]] - table[codes[-1]]
    path = np.zeros((len(rows), 1), np.int64)
    steps = []
    for code, parent in zip(reversed(codes), reversed(parents), strict=True):
        steps.append(code[each, path])
        path = parent[each, path]
    return np.concatenate(steps[::-1], axis=1)


def _lowest(scores: Array, count: int) -> NDArray[np.int64]:
    """Places of the `count` lowest scores of each row, lowest first, of equal ones the first. Overwrites `scores`."""
    each, places = np.arange(len(scores)), []
    for _ in range(min(count, scores.shape[1])):
        places.append(scores.argmin(axis=1))
        scores[each, places[-1]] = np.inf
    return np.stack(places, axis=1)
