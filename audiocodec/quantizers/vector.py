"""One codebook: nearest codeword, gradient estimator, optional auxiliary loss. Methods differ in a few lines."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import telemetry
from .codebook import Replacement, k_means, perturbation
from .nearest import Table, nearest
from .stage import Stage, Step


@dataclass(frozen=True, slots=True)
class Choice:
    """What a codebook offers for rows [N, D] in training."""

    codes: Tensor  # [N] int64
    hard: Tensor  # [N, D] the chosen points, differentiable with respect to the codebook
    segment: tuple[Tensor, Tensor, Tensor] | None = None  # space-filling: start [N, D], end [N, D], fraction [N, 1]
    logits: Tensor | None = None  # Gumbel-softmax: [N, K]


class VectorQuantizer(Stage):
    """A codebook of `codebook_size` vectors of size `dim`.

    Args:
        codebook_size: K, at least 2.
        dim: D.
        commitment: weight of |rows - sg(codeword)|^2; None takes the method's own.
        replacement: when and how dead codewords are replaced.
        warmup, seed: see Quantizer.
    """

    default_commitment: ClassVar[float] = 0.0
    codebook_loss: ClassVar[bool] = False  # whether |sg(rows) - codeword|^2 teaches the codebook
    replaces: ClassVar[bool] = True  # whether dead codewords may be replaced
    codebook: Tensor  # [K, D]
    counts: Tensor  # [K] int64, tokens of this rank since `maintain`
    window: Tensor  # [K] int64, tokens of all ranks since dead codewords were looked for

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        commitment: float | None = None,
        replacement: Replacement | None = None,
        warmup: int = 0,
        seed: int = 0,
    ):
        if codebook_size < 2 or dim < 1:
            raise ValueError(f"a codebook needs codebook_size >= 2 and dim >= 1, got {codebook_size} and {dim}")
        super().__init__(dim, warmup=warmup, capacity=32 * codebook_size, seed=seed)
        self.codebook_size = codebook_size
        self.commitment = self.default_commitment if commitment is None else commitment
        self.replacement = Replacement() if replacement is None else replacement
        # Short codewords (length 1 for latents of about sqrt(D)) lower the error of any stage from the first step.
        self.codebook = nn.Parameter(torch.randn(codebook_size, dim) * dim**-0.5)
        self.register_buffer("counts", torch.zeros(codebook_size, dtype=torch.int64), persistent=False)
        self.register_buffer("window", torch.zeros(codebook_size, dtype=torch.int64))

    @abstractmethod
    def estimate(self, rows: Tensor, hard: Tensor) -> Tensor:
        """Rows [N, D] with the value of `hard` (up to the method's noise) and the method's gradients."""

    @property
    def has_loss(self) -> bool:
        return self.codebook_loss or self.commitment > 0

    def codebooks(self) -> list["VectorQuantizer"]:
        return [self]

    def points(self, dtype: torch.dtype) -> Tensor:
        """The codewords [K, D]."""
        return self.codebook.to(dtype)

    def all_points(self, dtype: torch.dtype) -> Tensor:
        return self.points(dtype)

    def table(self, dtype: torch.dtype) -> Table:
        return Table(self.points(dtype).detach())

    def search(self, rows: Tensor, table: Table | None) -> Tensor:
        return nearest(rows, self.table(rows.dtype) if table is None else table)

    def lookup(self, codes: Tensor, dtype: torch.dtype) -> Tensor:
        return functional.embedding(codes, self.points(dtype))

    def select(self, rows: Tensor, codes: Tensor | None = None) -> Choice:
        """The training-time choice for rows [N, D]."""
        codes = self.search(rows.detach(), None) if codes is None else codes
        return Choice(codes, self.lookup(codes, rows.dtype))

    def surrogate(self, rows: Tensor, choice: Choice) -> Tensor:
        """Training output for a choice made by this codebook alone."""
        return self.estimate(rows, choice.hard)

    def aux_loss(self, rows: Tensor, choice: Choice, kept: Tensor | None) -> Tensor:
        """Auxiliary loss of kept rows [N, D], a mean over elements; scalar, 0 where the method has none."""
        loss = rows.new_zeros(())
        if self.codebook_loss:
            loss = loss + telemetry.energy(rows.detach() - choice.hard, kept) / self.dim
        if self.commitment > 0:
            loss = loss + self.commitment * telemetry.energy(rows - choice.hard.detach(), kept) / self.dim
        return loss

    def train_stage(self, rows: Tensor, committed: Tensor, kept: Tensor | None, codes: Tensor | None = None) -> Step:
        choice = self.select(rows, codes)
        z_q = self.surrogate(rows, choice)
        loss = self.aux_loss(committed, choice, kept)
        return Step(z_q, choice.codes, loss, *self.observe(rows.detach(), choice.codes, kept))

    def observe(self, rows: Tensor, codes: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Note what a training step chose; returns what `measure` returns."""
        counts, misalignment = self.measure(rows, codes, kept)
        self.counts += counts
        return counts, misalignment

    @torch.no_grad()
    def measure(self, rows: Tensor, codes: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor | None]:
        counts = telemetry.code_counts(self.codeword_of(codes), self.codebook_size, kept)
        return counts, telemetry.misalignment(rows, self.points(rows.dtype).detach(), kept)

    def codeword_of(self, codes: Tensor) -> Tensor:
        """The codeword that each code counts for."""
        return codes

    def init_rows(self, rows: Tensor, generator: torch.Generator) -> None:
        self.codebook.copy_(k_means(rows, self.codebook_size, generator))
        self.counts.zero_()
        self.window.zero_()

    def after_step(self, step: int) -> None:
        """What is to be done after every optimizer step; `counts` hold the tokens of this step from all ranks."""
        self.counts.zero_()

    def row_tensors(self) -> list[Tensor]:
        """Everything with one row a codeword that replacement rewrites, the codebook first."""
        return [self.codebook]

    @torch.no_grad()
    def replace(self, dead: Tensor, sources: Tensor, generator: torch.Generator) -> None:
        """Put copies of living codewords, slightly moved, in place of dead ones.

        Args:
            dead: [K] bool.
            sources: [dead.sum()] indices of living codewords.
            generator: of the small moves.
        """
        dead, sources = dead.to(self.codebook.device), sources.to(self.codebook.device)
        for tensor in self.row_tensors():
            tensor[dead] = tensor[sources]
        self.codebook[dead] += perturbation(self.codebook[sources], generator)
