"""Exponential moving averages: the codebook follows the mean of the latents that chose each codeword."""

from typing import Any

import torch
from torch import Tensor

from .distributed import sum_over_ranks
from .estimators import straight_through
from .vector import VectorQuantizer

SMOOTHING = 1e-5  # Laplace smoothing of the averaged counts
FROZEN = 1e-3  # tokens: a codeword whose averaged count is lower stays where it is, instead of shrinking to zero


class EMA(VectorQuantizer):
    """Straight-through estimator, commitment 0.25, codebook by moving averages.

    The averages are updated by `maintain`, once an optimizer step and from the tokens of all processes; without it the
    codebook does not move. The codebook is a buffer: the optimizer never sees it.

    Args:
        codebook_size, dim, options: see VectorQuantizer.
        decay: share of the old averages that an update keeps.
    Source: van den Oord et al. 2017, arXiv:1711.00937, appendix A.1; smoothing as in Sonnet. Deviates from the code
        released with DiVeQ: the smoothed count is not stored back, and replacement resets the averages of its rows
        (there they pull the codeword back one step later).
    """

    default_commitment = 0.25
    mean_count: Tensor  # [K] averaged tokens a step
    mean_sum: Tensor  # [K, D] averaged sum of latents
    sums: Tensor  # [K, D] sum of the latents of this rank since `maintain`

    def __init__(self, codebook_size: int, dim: int, *, decay: float = 0.99, **options: Any):
        super().__init__(codebook_size, dim, **options)
        self.decay = decay
        initial = self.codebook.detach()
        del self.codebook
        self.register_buffer("codebook", initial)
        self.register_buffer("mean_count", torch.ones(codebook_size))
        self.register_buffer("mean_sum", initial.clone())
        self.register_buffer("sums", torch.zeros_like(initial), persistent=False)

    def estimate(self, rows: Tensor, hard: Tensor) -> Tensor:
        return straight_through(rows, hard)

    def observe(self, rows: Tensor, codes: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor | None]:
        chosen = rows if kept is None else rows * kept[:, None]
        self.sums.index_add_(0, codes, chosen.to(self.sums.dtype))
        return super().observe(rows, codes, kept)

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Move the averages by what all ranks saw in this step, and the codewords to the averages."""
        sums, counts = sum_over_ranks(self.sums), self.counts.to(self.mean_count.dtype)
        seen = (counts.sum() > 0).to(counts.dtype)  # a step without a training pass changes nothing
        rate = (1 - self.decay) * seen
        self.mean_count.lerp_(counts, rate)
        self.mean_sum.lerp_(sums, rate)
        total = self.mean_count.sum()
        smooth = (self.mean_count + SMOOTHING) / (total + len(counts) * SMOOTHING) * total
        moved = torch.where((self.mean_count > FROZEN)[:, None], self.mean_sum / smooth[:, None], self.codebook)
        self.codebook.copy_(torch.where(seen > 0, moved, self.codebook))
        self.sums.zero_()
        super().after_step(step)

    def init_rows(self, rows: Tensor, generator: torch.Generator) -> None:
        super().init_rows(rows, generator)
        self.mean_count.fill_(1)
        self.mean_sum.copy_(self.codebook)
        self.sums.zero_()

    def row_tensors(self) -> list[Tensor]:
        return [self.codebook, self.mean_count, self.mean_sum]

    def replace(self, dead: Tensor, sources: Tensor, generator: torch.Generator) -> None:
        super().replace(dead, sources, generator)
        rows = dead.to(self.codebook.device)
        self.mean_count[rows] = 1
        self.mean_sum[rows] = self.codebook[rows]
