"""Finite scalar quantization: no codebook, each projected dimension is rounded to a few levels."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from ..config.quantizer import fsq_levels
from . import telemetry
from .estimators import straight_through
from .factorised import Factorised
from .nearest import Table
from .stage import Stage, Step
from .vector import VectorQuantizer


class ScalarGrid(Stage):
    """Rounds bounded values to a fixed grid: dimension i to levels[i] equally spaced values in [-1, 1].

    Args:
        levels: number of values a dimension, each at least 2.
    Source: Mentzer et al. 2023, arXiv:2309.15505, section 3.1. Deviates: odd and even numbers of levels are treated
        alike, by scaling tanh to the grid's whole width of level^-1 beyond its outer points.
    """

    levels: Tensor
    strides: Tensor

    def __init__(self, levels: Sequence[int]):
        super().__init__(len(levels))
        self.codebook_size = prod(levels)
        strides = [prod(levels[:i]) for i in range(len(levels))]
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.int64), persistent=False)
        self.register_buffer("strides", torch.tensor(strides, dtype=torch.int64), persistent=False)

    @property
    def has_loss(self) -> bool:
        return False

    def codebooks(self) -> list[VectorQuantizer]:
        return []

    def table(self, dtype: torch.dtype) -> Table | None:
        return None

    def places(self, rows: Tensor) -> Tensor:
        """Continuous place of each value on its grid, [N, L] in (-1/2, levels - 1/2)."""
        return (torch.tanh(rows) + 1) * (self.levels / 2) - 0.5

    def search(self, rows: Tensor, table: Table | None) -> Tensor:
        return self._codes(self._rounded(self.places(rows)))

    def lookup(self, codes: Tensor, dtype: torch.dtype) -> Tensor:
        return self._values(codes[:, None] // self.strides % self.levels, dtype)

    @property
    def chooses_softly(self) -> bool:
        return True

    def train_stage(self, rows: Tensor, committed: Tensor, kept: Tensor | None, codes: Tensor | None = None) -> Step:
        places = self.places(rows)
        steps = self._rounded(places.detach())
        soft = places * (2 / (self.levels - 1)) - 1
        codes = self._codes(steps)
        counts, misalignment = self.measure(rows.detach(), codes, kept)
        z_q = straight_through(soft, self._values(steps, rows.dtype))
        return Step(z_q, codes, rows.new_zeros(()), counts, misalignment)

    def measure(self, rows: Tensor, codes: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return telemetry.code_counts(codes, self.codebook_size, kept), None  # no codebook that could lie elsewhere

    def init_rows(self, rows: Tensor, generator: torch.Generator) -> None:
        """Nothing to start: the grid is fixed."""

    def _rounded(self, places: Tensor) -> Tensor:
        return torch.minimum(places.round().to(torch.int64).clamp_min(0), self.levels - 1)

    def _codes(self, steps: Tensor) -> Tensor:
        return (steps * self.strides).sum(dim=1)

    def _values(self, steps: Tensor, dtype: torch.dtype) -> Tensor:
        return 2 * steps.to(dtype) / (self.levels - 1).to(dtype) - 1


class FSQ(Factorised):
    """Finite scalar quantization between two projections, so that it drops in for any codebook.

    Args:
        codebook_size: at most so many codes; the largest grid that fits is taken.
        dim: D, size of the latents.
        levels: an explicit grid instead.
        warmup, seed: see Quantizer.
    Source: Mentzer et al. 2023, arXiv:2309.15505.
    """

    def __init__(
        self, codebook_size: int, dim: int, *, levels: Sequence[int] | None = None, warmup: int = 0, seed: int = 0
    ):
        if codebook_size < 2:
            raise ValueError(f"a code needs codebook_size >= 2, got {codebook_size}")
        super().__init__(
            ScalarGrid(fsq_levels(codebook_size) if levels is None else levels), dim, warmup=warmup, seed=seed
        )

    @torch.no_grad()
    def init_rows(self, rows: Tensor, generator: torch.Generator) -> None:
        """Principal axes, scaled so that a Gaussian fills the grid evenly; the way back fits in the mean square."""
        super().init_rows(rows, generator)
        low = nn.functional.linear(rows, self.project_in.weight.to(rows.dtype), self.project_in.bias.to(rows.dtype))
        scale = 0.8 / low.std(dim=0, correction=0).clamp_min(1e-8)  # tanh(0.8 x) is nearly the Gaussian's own integral
        self.project_in.weight.mul_(scale[:, None])
        self.project_in.bias.mul_(scale)
        points = self.inner.lookup(self.inner.search(low * scale, None), rows.dtype)
        gain = (points * low).mean(dim=0) / points.square().mean(dim=0).clamp_min(1e-8)
        self.project_out.weight.mul_(gain)
