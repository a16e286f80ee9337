"""Factorised codes: search and learn in a few dimensions, between a projection down and one back up."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .nearest import Table
from .stage import Stage, Step
from .vector import VectorQuantizer


class Factorised(Stage):
    """Any single quantizer in a learned subspace: latents are projected to its dimensions, its codewords back to `dim`.

    Args:
        inner: the quantizer of the subspace; its `dim` is the subspace's size.
        dim: D, size of the latents.
        warmup, seed: see Quantizer.
    Source: Yu et al. 2021, arXiv:2110.04627, section 3.2 (factorized codes); per residual stage as in Kumar et al.
        2023, arXiv:2306.06546. Deviates: the search is Euclidean, not on normalised vectors, so that the codeword found
        is the nearest to what is being quantized.
    """

    def __init__(self, inner: Stage, dim: int, *, warmup: int = 0, seed: int = 0):
        super().__init__(dim, warmup=warmup, capacity=32 * inner.codebook_size, seed=seed)
        self.inner = inner
        self.project_in = nn.Linear(dim, inner.dim)
        self.project_out = nn.Linear(inner.dim, dim)

    @property
    def codebook_size(self) -> int:  # type: ignore[override]
        """Codewords of the inner quantizer."""
        return self.inner.codebook_size

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        return self.inner.codebook_sizes

    @property
    def has_loss(self) -> bool:
        return self.inner.has_loss

    def codebooks(self) -> list[VectorQuantizer]:
        return self.inner.codebooks()

    def table(self, dtype: torch.dtype) -> Table | None:
        return self.inner.table(dtype)

    def search(self, rows: Tensor, table: Table | None) -> Tensor:
        return self.inner.search(_apply(self.project_in, rows), table)

    def lookup(self, codes: Tensor, dtype: torch.dtype) -> Tensor:
        return _apply(self.project_out, self.inner.lookup(codes, dtype))

    @property
    def chooses_softly(self) -> bool:
        return self.inner.chooses_softly

    def train_stage(self, rows: Tensor, committed: Tensor, kept: Tensor | None, codes: Tensor | None = None) -> Step:
        low = _apply(self.project_in, rows)
        low_committed = low if committed is rows else _apply(self.project_in, committed)
        step = self.inner.train_stage(low, low_committed, kept, codes)
        return Step(_apply(self.project_out, step.z_q), step.codes, step.loss, step.counts, step.misalignment)

    def measure(self, rows: Tensor, codes: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return self.inner.measure(_apply(self.project_in, rows), codes, kept)

    @torch.no_grad()
    def init_rows(self, rows: Tensor, generator: torch.Generator) -> None:
        """Projections onto the principal axes of the rows, then the inner quantizer from the projected rows."""
        mean = rows.mean(dim=0)
        axes = principal_axes(rows - mean, self.inner.dim).to(self.project_in.weight.dtype)
        self.project_in.weight.copy_(axes)
        self.project_in.bias.copy_(-(axes @ mean.to(axes.dtype)))
        self.project_out.weight.copy_(axes.t())
        self.project_out.bias.copy_(mean)
        self.inner.init_rows(_apply(self.project_in, rows), generator)


def principal_axes(centred: Tensor, count: int) -> Tensor:
    """The `count` orthonormal directions [count, D] of largest variance of centred rows [N, D], largest first.

    With more directions wanted than there are dimensions the surplus ones are zero.
    """
    covariance = (centred.t() @ centred).double() / max(len(centred), 1)
    vectors = torch.linalg.eigh(covariance).eigenvectors.flip(1).t()[:count]
    signs = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True)).sign()  # the same on every machine
    padded = vectors.new_zeros(count, centred.shape[1])
    padded[: len(vectors)] = vectors * signs
    return padded.to(centred.dtype)


def _apply(layer: nn.Linear, rows: Tensor) -> Tensor:
    return functional.linear(rows, layer.weight.to(rows.dtype), layer.bias.to(rows.dtype))
