"""Multi-path search of a residual stack: several partial codes of a vector are followed, not the best one alone.

The nearest codeword of a stage is the best choice only if nothing comes after it. Following the `width` best partial
sums and deciding at the end lowers the error of the sum; the decoder, its codebooks and the bits stay as they are.

Source: tree search of multistage vector quantizers, LeBlanc et al. 1993, "Efficient search and design procedures for
robust multi-stage VQ of LPC parameters for 4 kb/s speech coding", IEEE Trans. Speech and Audio Processing 1(4), sec. 3
(the M-L search).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

CPU_ROWS = 128  # measured: fewer cost calls, more leave the cache
GPU_ROWS = 4096  # only bounds memory


@torch.no_grad()
def best_paths(rows: Tensor, tables: Sequence[Tensor], width: int, lengths: Tensor | None = None) -> Tensor:
    """Codes whose points add up to something near each row: the best of the paths that were followed.

    Of equal errors the lowest code of the best path so far wins. In float64 an answer depends on the other rows only
    where two errors are alike to 1e-15 of their size.

    Args:
        rows: [N, D], float32 or float64.
        tables: the points [K, D] of every stage, in the dtype of `rows`.
        width: paths followed, at least 1.
        lengths: [N] int64, how many of the stages count for a row (1 to all); None: all.
    Returns:
        [N, stages] int64; codes past a row's length are 0.
    """
    offsets = [torch.linalg.vecdot(table, table) / 2 for table in tables]
    size = CPU_ROWS if rows.device.type == "cpu" else GPU_ROWS
    limits = [None] * len(rows.split(size)) if lengths is None else lengths.split(size)
    pieces = [
        _best_paths(some, tables, offsets, width, limit) for some, limit in zip(rows.split(size), limits, strict=True)
    ]
    return torch.cat(pieces)


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
    values, each = scores.numpy(), torch.arange(len(scores)).numpy()
    places = []
    for _ in range(count):
        places.append(values.argmin(axis=1))
        values[each, places[-1]] = torch.inf
    return torch.stack([torch.from_numpy(place) for place in places], dim=1)
