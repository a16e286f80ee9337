"""Residual quantization: each stage codes what the stages before it left over."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, Self

import torch
from torch import Tensor, nn

from ..errors import ConfigError, ShapeError
from . import telemetry
from .base import Quantized, Quantizer
from .factorised import Factorised
from .live import MAX_ROWS, LiveSearch
from .nearest import Table
from .paths import Points, best_paths
from .space_filling import SFDiVeQ
from .stage import Stage
from .vector import VectorQuantizer

BLOCK = 8192  # rows encoded at a time; only bounds memory


class ResidualQuantizer(Quantizer):
    """A stack of equal stages; any prefix of its codes decodes.

    wiring "per_stage": every stage has the estimator around itself and hands its remainder on with gradients; each
        codebook gets a gradient of its own.
    wiring "joint": the stages choose without gradient, and one estimator acts on the sum of their codewords; all chosen
        codewords get the same gradient. This is the form of the DiVeQ paper.

    Args:
        method: makes one stage from (codebook_size, dim): a class of this package, or functools.partial of one.
        n_q: K, number of stages.
        codebook_size: codewords a stage.
        dim: D.
        wiring: see above; projected stages and FSQ learn only `per_stage`.
        codebook_dim: factorised codes: each stage searches in a learned projection to so many dimensions; None: in D.
        beam: partial codes that are followed through the stages (paths.py); 1 takes each stage's own choice. With more,
            the error of the whole sum decides, whatever rule a stage has of its own; the codes for fewer stages are
            then no prefix of the codes for more. Stages that choose softly or at random in training (Gumbel-softmax,
            SF-DiVeQ before it snaps, FSQ) go on doing so there.
        warmup, seed: see Quantizer; the stages' own warm-up is not used.
    Raises:
        ConfigError: joint wiring of stages that have no estimator of their own.
    Source: Zeghidour et al. 2021, arXiv:2107.03312, algorithm 1; joint: Vali, Bäckström & Solin 2026,
        arXiv:2509.26469, appendix C.9.
    """

    def __init__(
        self,
        method: Callable[[int, int], Stage],
        n_q: int,
        codebook_size: int,
        dim: int,
        *,
        wiring: Literal["joint", "per_stage"] = "per_stage",
        codebook_dim: int | None = None,
        beam: int = 1,
        warmup: int = 0,
        seed: int = 0,
    ):
        if n_q < 1 or beam < 1:
            raise ConfigError(f"a residual quantizer needs n_q >= 1 stages and beam >= 1, got {n_q} and {beam}")
        super().__init__(dim, warmup=warmup, capacity=32 * codebook_size, seed=seed)
        stages = [method(codebook_size, codebook_dim or dim) for _ in range(n_q)]
        self.stages = nn.ModuleList(stages if codebook_dim is None else [Factorised(stage, dim) for stage in stages])
        self.wiring, self.beam = wiring, beam
        self._held, self._held_points = list[Table | None](), list[Points]()
        self._live: LiveSearch | None = None
        if wiring == "joint" and not all(isinstance(stage, VectorQuantizer) for stage in self.stages):
            raise ConfigError("joint wiring gives the projections inside a stage no gradient; use wiring='per_stage'")

    @property
    def n_q(self) -> int:
        """K, the number of stages."""
        return len(self.stages)

    @property
    def codebook_size(self) -> int:
        """Codewords of a stage."""
        return self._stages()[0].codebook_size

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        return tuple(size for stage in self._stages() for size in stage.codebook_sizes)

    def codebooks(self) -> list[VectorQuantizer]:
        return [codebook for stage in self._stages() for codebook in stage.codebooks()]

    def with_sf_bits(self, sf_bits: int) -> Self:
        """The same stack (same parameters, not a copy of them) with another grid in every stage.

        Args:
            sf_bits: 0 to 3 bits more a stage than its nearest codeword costs.
        Raises:
            ConfigError: the stages are not SFDiVeQ, or sf_bits is out of range.
        """
        stages = [stage for stage in self._stages() if isinstance(stage, SFDiVeQ)]
        if len(stages) != self.n_q:
            raise ConfigError("sf_bits needs stages of SFDiVeQ")
        other = copy.copy(self)
        other._modules = {**self._modules, "stages": nn.ModuleList([stage.with_sf_bits(sf_bits) for stage in stages])}
        return other

    def with_beam(self, beam: int) -> Self:
        """The same stack (same parameters, not a copy of them) that follows another number of paths.

        Args:
            beam: paths, at least 1; more give a lower error and take longer, about in proportion.
        Raises:
            ConfigError: beam is below 1.
        """
        if beam < 1:
            raise ConfigError(f"beam must be at least 1, got {beam}")
        other = copy.copy(self)
        other.beam = beam
        return other

    def forward(  # type: ignore[override]
        self, z: Tensor, n_q: int | Tensor | None = None, mask: Tensor | None = None
    ) -> Quantized:
        """Quantize latents.

        Args:
            z: [B, D, T] or [N, D], any floating dtype.
            n_q: stages to keep, 1..K: one number, or int64 [B] (or [N]) with a number for each item (not checked: the
                host would have to wait). In training all stages are computed and the sum is masked, so that every
                process of a distributed run uses every parameter.
            mask: [B, T] or [N] bool, True where a frame is real; see Quantizer.forward.
        Returns:
            Quantized; codes are [B, n_q, T] or [N, n_q], with all K stages where n_q is a tensor.
        Raises:
            ShapeError: a tensor has another shape, or the number n_q is out of range.
        """
        stages = self._count(None if isinstance(n_q, Tensor) else n_q)
        return self._quantize(z, mask, self._kept(z, n_q, mask), stages)

    def encode(self, z: Tensor, n_q: int | None = None) -> Tensor:
        """Codes of latents, as transmitted.

        Args:
            z: [B, D, T] or [N, D].
            n_q: stages to code, default all.
        Returns:
            int64 [B, n_q, T] or [N, n_q].
        Raises:
            ShapeError: z has another shape, or n_q is out of range.
        """
        return self._encode(z, self._count(n_q))

    def hold_tables(self, dtype: torch.dtype) -> None:
        """Prepare for many calls of `encode` in `dtype`; no parameter may change afterwards."""
        self._held = [stage.table(dtype) for stage in self._stages()]
        for table in filter(None, self._held):
            table.held = True
        self._live = LiveSearch.of(self._held, points := self.points(self.n_q, dtype))
        if points[0].device.type == "cpu" and dtype == torch.float64:
            self._held_points = [Points(table.numpy()) for table in points]

    def train_rows(self, rows: Tensor, kept: Tensor | None) -> Quantized:
        return self._train_joint(rows, kept) if self.wiring == "joint" else self._train_per_stage(rows, kept)

    def _train_per_stage(self, rows: Tensor, kept: Tensor | None) -> Quantized:
        left, total, steps, energies = rows, torch.zeros_like(rows), [], []
        paths = self._training_paths(rows, kept)
        for index, stage in enumerate(self._stages()):
            mine = None if kept is None else kept[:, index]
            # Auxiliary losses reach the encoder as if the stages before were constants: with the estimator's gradients
            # of `left` (zero for STE) only the first stage could hold the latents near its codewords.
            committed = rows - (rows - left).detach() if stage.has_loss and index else left
            step = stage.train_stage(left, committed, mine, paths[index])
            left = left - step.z_q
            total = total + _only(step.z_q, mine)
            steps.append(step)
            energies.append(telemetry.energy(left.detach(), mine))
        return Quantized(
            total,
            torch.stack([step.codes for step in steps], dim=1),
            torch.stack([step.loss for step in steps]).sum(),
            telemetry.summary(
                rows.detach(),
                None if kept is None else kept[:, 0],
                [step.counts for step in steps],
                energies,
                [step.misalignment for step in steps],
            ),
        )

    def _train_joint(self, rows: Tensor, kept: Tensor | None) -> Quantized:
        left, total, codes, losses, counts, energies, misalignments = rows, torch.zeros_like(rows), [], [], [], [], []
        paths = self._training_paths(rows, kept)
        for index, stage in enumerate(self._vector_stages()):
            mine = None if kept is None else kept[:, index]
            choice = stage.select(left, paths[index])
            seen = stage.observe(left.detach(), choice.codes, mine)
            losses.append(stage.aux_loss(left, choice, mine))
            left = left - choice.hard.detach()
            total = total + _only(choice.hard, mine)
            codes.append(choice.codes)
            counts.append(seen[0])
            misalignments.append(seen[1])
            energies.append(telemetry.energy(left.detach(), mine))
        first = None if kept is None else kept[:, 0]
        return Quantized(
            self._vector_stages()[0].estimate(rows, total),
            torch.stack(codes, dim=1),
            torch.stack(losses).sum(),
            telemetry.summary(rows.detach(), first, counts, energies, misalignments),
        )

    def _training_paths(self, rows: Tensor, kept: Tensor | None) -> Sequence[Tensor | None]:
        """The codes [N] that each stage shall take, of the best path through the stages that count for a row."""
        if self.beam == 1 or any(stage.chooses_softly for stage in self._stages()):
            return [None] * self.n_q
        lengths = None if kept is None else kept.sum(dim=1)
        return best_paths(rows.detach(), self.points(self.n_q, rows.dtype), self.beam, lengths).unbind(dim=1)

    def points(self, n_q: int, dtype: torch.dtype) -> list[Tensor]:
        """What the codes of each stage stand for: [K, D] without gradient."""
        with torch.no_grad():
            return [stage.all_points(dtype) for stage in self._stages()[:n_q]]

    def encode_rows(self, rows: Tensor, n_q: int, kept: Tensor | None = None) -> Tensor:
        if self.beam > 1:
            lengths = None if kept is None else kept[:, :n_q].sum(dim=1)
            return best_paths(rows, self.points(n_q, rows.dtype), self.beam, lengths, self._held_points)
        if self._live is not None and len(rows) <= MAX_ROWS:
            return self._live.encode(rows, n_q)
        stages, blocks = self._stages()[:n_q], rows.split(BLOCK)
        tables = self._held[:n_q]
        if not tables:  # shared by all blocks; for a single one each table is made when it is used, while it is cached
            tables = [stage.table(rows.dtype) if len(blocks) > 1 else None for stage in stages]
        return torch.cat([_encode_block(block, stages, tables) for block in blocks])

    def decode_rows(self, codes: Tensor, kept: Tensor | None = None) -> Tensor:
        n_q = codes.shape[1]
        if not 1 <= n_q <= self.n_q:
            raise ShapeError(f"codes have {n_q} stages; this quantizer decodes 1 to {self.n_q}")
        total = torch.zeros(len(codes), self.dim, dtype=self.dtype, device=codes.device)
        for index, stage in enumerate(self._stages()[:n_q]):
            total = total + _only(stage.lookup(codes[:, index], self.dtype), None if kept is None else kept[:, index])
        return total

    def measure_rows(self, rows: Tensor, codes: Tensor, kept: Tensor | None) -> dict[str, Tensor]:
        left, counts, energies, misalignments = rows, [], [], []
        for index, stage in enumerate(self._stages()[: codes.shape[1]]):
            mine = None if kept is None else kept[:, index]
            count, misalignment = stage.measure(left, codes[:, index], mine)
            left = left - stage.lookup(codes[:, index], rows.dtype)
            counts.append(count)
            misalignments.append(misalignment)
            energies.append(telemetry.energy(left, mine))
        return telemetry.summary(rows, None if kept is None else kept[:, 0], counts, energies, misalignments)

    @torch.no_grad()
    def init_from_data(self, z: Tensor, mask: Tensor | None = None, first: int = 0) -> None:
        """Start the codebooks from latents; see Quantizer.init_from_data.

        Args:
            z: [B, D, T] or [N, D].
            mask: as in `forward`.
            first: stages before this one keep their codebooks; the others start from what those leave over.
        Raises:
            ShapeError: no vector, or another shape.
        """
        self._init_from_data(z, mask, partial(self.init_rows, first=first))

    def init_rows(self, rows: Tensor, generator: torch.Generator, first: int = 0) -> None:
        for index, stage in enumerate(self._stages()):
            if index >= first:
                stage.init_rows(rows, generator)
            rows = rows - stage.lookup(stage.search(rows, None), rows.dtype)

    def _stages(self) -> list[Stage]:
        return list(self.stages)  # type: ignore[arg-type]

    def _vector_stages(self) -> list[VectorQuantizer]:
        return list(self.stages)  # type: ignore[arg-type]

    def _is_stack(self) -> bool:
        return True

    def _count(self, n_q: int | None) -> int:
        n_q = self.n_q if n_q is None else n_q
        if not 1 <= n_q <= self.n_q:
            raise ShapeError(f"n_q must be 1 to {self.n_q}, got {n_q}")
        return n_q

    def _kept(self, z: Tensor, n_q: int | Tensor | None, mask: Tensor | None) -> Tensor | None:
        """[N, K] bool: which stages of which rows count; None where all do."""
        valid = self._valid(z, mask)
        if n_q is None or (isinstance(n_q, int) and (n_q == self.n_q or not self.training)):
            return None if valid is None else valid[:, None].expand(-1, self.n_q)
        stages = torch.arange(self.n_q, device=z.device)
        if isinstance(n_q, Tensor):
            if n_q.shape != (len(z),):
                raise ShapeError(f"n_q must have one number for each of the {len(z)} items, got {list(n_q.shape)}")
            kept = stages < n_q[:, None]
        else:
            kept = (stages < n_q).expand(len(z), -1)
        if z.dim() == 3:
            kept = kept.repeat_interleave(z.shape[2], dim=0)
        return kept if valid is None else kept & valid[:, None]


def _encode_block(left: Tensor, stages: list[Stage], tables: list[Table | None]) -> Tensor:
    """Codes [N, K] of rows [N, D], stage after stage: a stage's table stays in the cache for all rows."""
    codes: list[Tensor] = []
    for index, (stage, table) in enumerate(zip(stages, tables, strict=True)):
        codes.append(stage.search(left, table))
        if index + 1 < len(stages):
            left = left - stage.lookup(codes[-1], left.dtype)
    return torch.stack(codes, dim=1)


def _only(rows: Tensor, kept: Tensor | None) -> Tensor:
    """Rows [N, D] with zeros outside `kept` [N]; a masked row still counts as used by autograd."""
    return rows if kept is None else torch.where(kept[:, None], rows, rows.new_zeros(()))
