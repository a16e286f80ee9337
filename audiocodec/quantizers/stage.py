"""What a residual stack asks of its stages; single quantizers of every kind answer it."""

from abc import abstractmethod
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from . import telemetry
from .base import Quantized, Quantizer
from .nearest import Table


@dataclass(frozen=True, slots=True)
class Step:
    """A training step of one stage."""

    z_q: Tensor  # [N, D] with the stage's gradients
    codes: Tensor  # [N] int64
    loss: Tensor  # scalar
    counts: Tensor  # [K] int64, how often each codeword was chosen by kept rows
    misalignment: Tensor | None  # scalar, see telemetry.py; None without a codebook


class Stage(Quantizer):
    """A quantizer that gives one code a vector."""

    codebook_size: int

    @property
    def chooses_softly(self) -> bool:
        """Whether training makes a soft or random choice of its own, and cannot be told a code."""
        return False

    @property
    @abstractmethod
    def has_loss(self) -> bool:
        """Whether training adds an auxiliary loss."""

    @abstractmethod
    def table(self, dtype: torch.dtype) -> Table | None:
        """What `search` needs and can be shared by many calls; valid until a parameter changes."""

    @abstractmethod
    def search(self, rows: Tensor, table: Table | None) -> Tensor:
        """Codes [N] of rows [N, D] as deployed; `table` None means the present one."""

    @abstractmethod
    def lookup(self, codes: Tensor, dtype: torch.dtype) -> Tensor:
        """Points [N, D] of codes [N], differentiable with respect to the parameters."""

    @abstractmethod
    def train_stage(self, rows: Tensor, committed: Tensor, kept: Tensor | None, codes: Tensor | None = None) -> Step:
        """Quantize rows [N, D] with gradients.

        Args:
            rows: what this stage has to code, with the gradients that the wiring gives it.
            committed: the same values with the gradients that auxiliary losses may use.
            kept: [N] bool or None, the rows that count in losses and statistics.
            codes: [N] chosen by somebody who sees more than this stage; None: by the stage itself, as always where
                `chooses_softly`.
        """

    @abstractmethod
    def measure(self, rows: Tensor, codes: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Counts [K] of codewords and misalignment of rows without gradient; changes nothing."""

    def all_points(self, dtype: torch.dtype) -> Tensor:
        """What each code decodes to: [codes, D]."""
        (size,) = self.codebook_sizes
        device = next((t.device for t in chain(self.parameters(), self.buffers())), None)
        return self.lookup(torch.arange(size, device=device), dtype)

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        return (self.codebook_size,)

    def train_rows(self, rows: Tensor, kept: Tensor | None) -> Quantized:
        step = self.train_stage(rows, rows, kept)
        left = telemetry.energy((rows - step.z_q).detach(), kept)
        metrics = telemetry.summary(rows.detach(), kept, [step.counts], [left], [step.misalignment])
        return Quantized(step.z_q, step.codes, step.loss, metrics)

    def encode_rows(self, rows: Tensor, n_q: int, kept: Tensor | None = None) -> Tensor:
        return self.search(rows, None)

    def decode_rows(self, codes: Tensor, kept: Tensor | None = None) -> Tensor:
        return self.lookup(codes, self.dtype)

    def measure_rows(self, rows: Tensor, codes: Tensor, kept: Tensor | None) -> dict[str, Tensor]:
        counts, misalignment = self.measure(rows, codes, kept)
        left = telemetry.energy(rows - self.lookup(codes, rows.dtype), kept)
        return telemetry.summary(rows, kept, [counts], [left], [misalignment])
