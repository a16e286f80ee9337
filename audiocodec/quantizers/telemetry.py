"""Numbers that tell how a codebook is doing, computed on the device without asking the host.

usage           share of codewords chosen at least once among the rows
perplexity      2 ** effective_bits
effective_bits  entropy of the chosen codes in bits (a batch of N rows cannot show more than log2 N)
relative_error  energy of what is left after this stage / energy of the latents around their mean
misalignment    (|mean c - mean r|^2 + |std c - std r|^2) / Var r between codewords c, each counted once, and the rows r
                that this stage saw, per dimension: 0 where codewords lie as the rows do
"""

from math import log

import torch
from torch import Tensor

SAMPLE = 512  # rows and codewords that misalignment looks at
_TINY = 1e-12


def code_counts(codes: Tensor, size: int, kept: Tensor | None) -> Tensor:
    """How often each code occurs: codes [N] in [0, size), kept [N] bool or None -> [size] int64."""
    ones = torch.ones_like(codes) if kept is None else kept.to(torch.int64)
    return torch.zeros(size, dtype=torch.int64, device=codes.device).index_add_(0, codes, ones)


def usage_metrics(counts: Tensor) -> dict[str, Tensor]:
    """usage, perplexity and effective bits of counts [S, K], each [S]."""
    total = counts.sum(dim=1, keepdim=True).clamp_min(1)
    p = counts.to(torch.float32) / total
    bits = -torch.special.xlogy(p, p).sum(dim=1) / log(2)
    return {
        "usage": (counts > 0).to(torch.float32).mean(dim=1),
        "perplexity": torch.exp2(bits),
        "effective_bits": bits,
    }


def spread(rows: Tensor, kept: Tensor | None) -> Tensor:
    """Sum over dimensions of the variance of the kept rows [N, D]; scalar."""
    return _moments(rows, kept)[1].sum()


def mean(values: Tensor, kept: Tensor | None) -> Tensor:
    """Mean of the kept values [N]; scalar, 0 where nothing is kept."""
    if kept is None:
        return values.sum() / max(len(values), 1)
    return torch.where(kept, values, values.new_zeros(())).sum() / kept.sum().clamp_min(1)


def energy(rows: Tensor, kept: Tensor | None) -> Tensor:
    """Mean squared length of the kept rows [N, D]; scalar."""
    return mean(torch.linalg.vecdot(rows, rows), kept)


def misalignment(rows: Tensor, codebook: Tensor, kept: Tensor | None) -> Tensor:
    """Distance of the first two moments of codewords [K, D] and kept rows [N, D], see above; scalar.

    Taken over at most SAMPLE rows and codewords, evenly spaced: enough for a curve, and free.
    """
    every = max(len(rows) // SAMPLE, 1)
    mean, variance = _moments(rows[::every], None if kept is None else kept[::every])
    code_mean, code_variance = _moments(codebook[:: max(len(codebook) // SAMPLE, 1)], None)
    gap = (code_mean - mean).square() + (code_variance.sqrt() - variance.sqrt()).square()
    return gap.sum() / variance.sum().clamp_min(_TINY)


def _moments(rows: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and variance [D] of the kept rows [N, D]."""
    if kept is None:  # two sums over the first axis; torch.var_mean over it takes ten times as long on a CPU
        mean = rows.mean(dim=0)
        return mean, (rows - mean).square().mean(dim=0)
    weight = kept.to(rows.dtype)[:, None]
    total = weight.sum().clamp_min(1)
    mean = (rows * weight).sum(dim=0) / total
    return mean, ((rows - mean).square() * weight).sum(dim=0) / total


def summary(
    rows: Tensor, kept: Tensor | None, counts: list[Tensor], left: list[Tensor], misalignments: list[Tensor | None]
) -> dict[str, Tensor]:
    """The metrics of S stages, each [S].

    Args:
        rows: [N, D] what the first stage got; `kept` [N] bool or None.
        counts: S times [K].
        left: S scalars, energy of what is left after each stage (see `energy`).
        misalignments: S scalars; None for stages without a codebook.
    """
    gaps = [gap for gap in misalignments if gap is not None]
    return {
        **usage_metrics(torch.stack(counts)),
        "relative_error": torch.stack(left) / spread(rows, kept).clamp_min(_TINY),
        **({"misalignment": torch.stack(gaps)} if gaps else {}),
    }
