"""SF-DiVeQ: the codewords are corners of a curve; training quantizes onto the curve, deployment onto a grid on it."""

import copy
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import ConfigError
from .codebook import path_order
from .estimators import diveq, diveq_segment
from .methods import warn_if_starving
from .nearest import Table, nearest
from .vector import Choice, VectorQuantizer


class SFDiVeQ(VectorQuantizer):
    """Space-filling DiVeQ, decodable.

    Training draws one point on each of the K-1 segments for the whole batch and quantizes to the nearest of them.
    Deployment quantizes to a grid of 2^sf_bits points a segment: code m stands for
    C[i] + (m mod 2^n) / 2^n (C[i+1] - C[i]) with n = sf_bits, i = m div 2^n, m in [0, (K-1) 2^n]. The search over the
    grid is exact, the grids are nested, and sf_bits = 0 is the nearest codeword; so one model has four rates.

    Args:
        codebook_size: K corners of the curve.
        dim: D.
        noise: as in DiVeQ.
        sf_bits: n, 0 to 3.
        surrogate: "point" takes DiVeQ's gradient at the chosen point of the curve; "two-error" is the paper's sum over
            both corners, which contracts the curve.
        snap_from: from this optimizer step on, training quantizes to the deployed grid; None: never.
        options: see VectorQuantizer.
    Source: Vali, Bäckström & Solin 2026, arXiv:2509.26469, eq. 12; deviates: the released inference transmits a real
        number that it does not count; here the grid is part of the code.
    """

    replaces = False  # a moved corner would drag two segments across the latents
    is_snapped: Tensor

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        noise: float = 0.02,
        sf_bits: int = 0,
        surrogate: str = "point",
        snap_from: int | None = None,
        **options: Any,
    ):
        super().__init__(codebook_size, dim, **options)
        if not 0 <= sf_bits <= 3:
            raise ConfigError(f"sf_bits must be 0, 1, 2 or 3, got {sf_bits}")
        if surrogate not in ("point", "two-error"):
            raise ConfigError(f"surrogate must be 'point' or 'two-error', got {surrogate!r}")
        warn_if_starving(dim)
        self.noise, self.sf_bits, self.surrogate_kind, self.snap_from = noise, sf_bits, surrogate, snap_from
        self.snapped = snap_from == 0
        self.register_buffer("is_snapped", torch.tensor(self.snapped))  # for the checkpoint; never read in a step

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        return (((self.codebook_size - 1) << self.sf_bits) + 1,)

    def with_sf_bits(self, sf_bits: int) -> Self:
        """The same quantizer (same parameters, not a copy of them) at another rate."""
        if not 0 <= sf_bits <= 3:
            raise ConfigError(f"sf_bits must be 0, 1, 2 or 3, got {sf_bits}")
        other = copy.copy(self)
        other.sf_bits = sf_bits
        return other

    def estimate(self, rows: Tensor, hard: Tensor) -> Tensor:
        return diveq(rows, hard, self.noise)

    def surrogate(self, rows: Tensor, choice: Choice) -> Tensor:
        if self.surrogate_kind == "point":
            return self.estimate(rows, choice.hard)
        assert choice.segment is not None
        return diveq_segment(rows, *choice.segment, noise=self.noise)

    @property
    def chooses_softly(self) -> bool:
        return not self.snapped

    def select(self, rows: Tensor, codes: Tensor | None = None) -> Choice:
        if self.snapped:
            codes = self.search(rows.detach(), None) if codes is None else codes
            segments = (codes >> self.sf_bits).clamp_max(self.codebook_size - 2)
            place = (codes - (segments << self.sf_bits)).to(rows.dtype)[:, None] / (1 << self.sf_bits)
        else:
            corners = self.points(rows.dtype).detach()
            fraction = torch.rand(self.codebook_size - 1, 1, dtype=rows.dtype, device=rows.device)
            segments = nearest(rows.detach(), Table(corners[:-1] + fraction * (corners[1:] - corners[:-1])))
            place = functional.embedding(segments, fraction)
            codes = (segments << self.sf_bits) + (place[:, 0] * (1 << self.sf_bits)).round().to(torch.int64)
        corners = self.points(rows.dtype)
        start, end = functional.embedding(segments, corners), functional.embedding(segments + 1, corners)
        return Choice(codes, start + place * (end - start), (start, end, place))

    def table(self, dtype: torch.dtype) -> Table:
        corners = self.points(dtype).detach()
        if self.sf_bits == 0:
            return Table(corners)
        return Table(self.lookup(torch.arange(*self.codebook_sizes, device=corners.device), dtype).detach())

    def all_points(self, dtype: torch.dtype) -> Tensor:
        return self.table(dtype).points

    def lookup(self, codes: Tensor, dtype: torch.dtype) -> Tensor:
        if self.sf_bits == 0:
            return super().lookup(codes, dtype)
        corners, steps = self.points(dtype), 1 << self.sf_bits
        segments = codes >> self.sf_bits
        start = functional.embedding(segments, corners)
        end = functional.embedding((segments + 1).clamp_max(self.codebook_size - 1), corners)
        return start + ((codes & (steps - 1)).to(dtype) / steps)[:, None] * (end - start)

    def codeword_of(self, codes: Tensor) -> Tensor:
        return (codes + (1 << self.sf_bits >> 1)) >> self.sf_bits

    def init_rows(self, rows: Tensor, generator: torch.Generator) -> None:
        super().init_rows(rows, generator)
        self.codebook.copy_(self.codebook[path_order(self.codebook)])

    def after_step(self, step: int) -> None:
        super().after_step(step)
        if self.snap_from is not None and step >= self.snap_from:
            self.snapped = True
            self.is_snapped.fill_(True)

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self.snapped = bool(self.is_snapped)


class SFDiVeQDetach(SFDiVeQ):
    """SF-DiVeQ without noise. Source: see SFDiVeQ."""

    def __init__(self, codebook_size: int, dim: int, **options: Any):
        super().__init__(codebook_size, dim, noise=0.0, **options)
