"""The multi-path search of inference/paths.py, which explains it, on tensors."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..inference import paths
from ..inference.paths import ROWS, Points

GPU_ROWS = 4096  # rows at a time; only bounds memory


@torch.no_grad()
def best_paths(
    rows: Tensor,
    tables: Sequence[Tensor],
    width: int,
    lengths: Tensor | None = None,
    held: Sequence[Points] | None = None,
) -> Tensor:
    """Codes whose points add up to something near each row: the best of the paths that were followed.

    In float64 on the CPU the answer for a row does not depend on the other rows.

    Args:
        rows: [N, D], float32 or float64.
        tables: the points [K, D] of every stage, in the dtype of `rows`.
        width: paths followed, at least 1.
        lengths: [N] int64, how many of the stages count for a row (1 to all); None: all.
        held: the same tables, prepared for many calls.
    Returns:
        [N, stages] int64; codes past a row's length are 0.
    """
    if rows.device.type == "cpu" and rows.dtype == torch.float64 and not torch.compiler.is_compiling():
        stages = held or [Points(table.numpy()) for table in tables]
        limits = None if lengths is None else lengths.numpy()
        return torch.from_numpy(paths.best_paths(rows.numpy(), stages[: len(tables)], width, limits, _product))
    offsets = [torch.linalg.vecdot(table, table) / 2 for table in tables]
    size = ROWS if rows.device.type == "cpu" else GPU_ROWS
    limits_of = [None] * len(rows.split(size)) if lengths is None else lengths.split(size)
    return torch.cat(
        [_best_paths(some, tables, offsets, width, n) for some, n in zip(rows.split(size), limits_of, strict=True)]
    )


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """By torch, whose number of threads its users set."""
    return torch.mm(torch.from_numpy(a), torch.from_numpy(b)).numpy()


def _best_paths(
    rows: Tensor, tables: Sequence[Tensor], offsets: Sequence[Tensor], width: int, lengths: Tensor | None
) -> Tensor:
    left, codes, parents = rows[:, None], [], []  # left [N, paths, D], what a path has yet to code; best path first
    for table, offset in zip(tables, offsets, strict=True):
        scores = torch.addmm(offset, left.flatten(0, 1), table.t(), alpha=-1)
        scores += torch.linalg.vecdot(left, left).flatten()[:, None] / 2
        choice = _lowest(scores.view(len(rows), -1), width)
        codes.append(choice % len(table))
        parents.append(choice // len(table))
        before = left.gather(1, parents[-1][..., None].expand(-1, -1, left.shape[2]))
        left = before - table[codes[-1]]
    out = torch.zeros(len(rows), len(tables), dtype=torch.int64, device=rows.device)
    path = torch.zeros(len(rows), 1, dtype=torch.int64, device=rows.device)
    for index in reversed(range(len(tables))):
        if lengths is not None:  # a row's best path at its own last stage
            path = torch.where((lengths == index + 1)[:, None], 0, path)
        out[:, index : index + 1] = codes[index].gather(1, path)
        path = parents[index].gather(1, path)
    if lengths is None:
        return out
    return torch.where(torch.arange(len(tables), device=rows.device) < lengths[:, None], out, 0)


def _lowest(scores: Tensor, count: int) -> Tensor:
    """Places of the `count` lowest scores of each row, lowest first: [N, count] int64. May overwrite `scores`."""
    count = min(count, scores.shape[1])
    if scores.device.type != "cpu" or torch.compiler.is_compiling():
        return scores.topk(count, dim=1, largest=False).indices
    # NumPy's argmin, a few times, beats torch's topk on the CPU; and of equal scores it takes the first.
    values, each = scores.numpy(), np.arange(len(scores))
    places = []
    for _ in range(count):
        places.append(values.argmin(axis=1))
        values[each, places[-1]] = np.inf
    return torch.stack([torch.from_numpy(place) for place in places], dim=1)
