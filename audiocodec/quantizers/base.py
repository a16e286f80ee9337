"""What every quantizer is: latents in, `Quantized` out; the layouts, the precision and the life of its codebooks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from math import log2
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..errors import ShapeError
from .distributed import agreed, broadcast, decides
from .maintenance import maintain_codebooks
from .randomness import generator_for
from .warmup import Reservoir

if TYPE_CHECKING:
    from .vector import VectorQuantizer


@dataclass(frozen=True, slots=True)
class Quantized:
    """What a bottleneck did to latents."""

    z_q: Tensor  # as the input: [B, D, T] or [N, D], its dtype; frames outside the mask are zero
    codes: Tensor  # int64: [B, T] or [N] of one codebook, [B, K, T] or [N, K] of a stack of K
    loss: Tensor  # scalar, to be added to the task's loss; 0 for methods without auxiliary terms and in eval mode
    metrics: dict[str, Tensor]  # telemetry without gradient, [K] each: one number a codebook (telemetry.py names them)


class Quantizer(nn.Module, ABC):
    """Base of all quantizers and of their compositions.

    A subclass says what to do with rows [N, D]; this class keeps layouts ([B, D, T] and [N, D]), precision (float32 or
    wider, autocast off), masks, the warm-up and the collective care of codebooks in one place.

    Args:
        dim: D, size of a latent vector.
        warmup: the first so many optimizer steps pass latents through and collect them; then `maintain` starts the
            codebooks from them. 0: no warm-up; call `init_from_data` yourself, or start from random codebooks.
        capacity: latents remembered during the warm-up (the newest ones).
        seed: of everything random that concerns codebooks.
    """

    def __init__(self, dim: int, *, warmup: int = 0, capacity: int = 1, seed: int = 0):
        super().__init__()
        self.dim, self.warmup, self.seed = dim, warmup, seed
        self.reservoir = Reservoir(capacity, dim) if warmup else None

    @abstractmethod
    def train_rows(self, rows: Tensor, kept: Tensor | None) -> Quantized:
        """`Quantized` of rows [N, D], in rows; `kept` marks what counts: [N] bool, for a stack [N, K]."""

    @abstractmethod
    def encode_rows(self, rows: Tensor, n_q: int, kept: Tensor | None = None) -> Tensor:
        """Codes of rows [N, D] as deployed: [N], or [N, n_q] for a stack, whose rows may want fewer stages (`kept`)."""

    @abstractmethod
    def decode_rows(self, codes: Tensor, kept: Tensor | None = None) -> Tensor:
        """Rows [N, D] of codes [N] or [N, K]; stages outside `kept` [N, K] add nothing."""

    @abstractmethod
    def measure_rows(self, rows: Tensor, codes: Tensor, kept: Tensor | None) -> dict[str, Tensor]:
        """Telemetry of a deployed quantization; changes no buffer."""

    @abstractmethod
    def init_rows(self, rows: Tensor, generator: torch.Generator) -> None:
        """Start codebooks from rows [N, D], N >= 1."""

    @abstractmethod
    def codebooks(self) -> list["VectorQuantizer"]:
        """The learned codebooks inside, in the order of their codes."""

    @property
    @abstractmethod
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of distinct codes of each codebook: what the bitstream has to write."""

    @property
    def bits(self) -> list[float]:
        """Information of a code in bits, for each codebook."""
        return [log2(size) for size in self.codebook_sizes]

    def forward(self, z: Tensor, mask: Tensor | None = None) -> Quantized:
        """Quantize latents.

        Args:
            z: [B, D, T] or [N, D], any floating dtype.
            mask: [B, T] or [N] bool, True where a frame is real; the others come out as zero with code 0, and take no
                part in losses, counts and gradients.
        Returns:
            Quantized, with gradients in training mode; in eval mode z_q is exactly decode(encode(z)).
        Raises:
            ShapeError: z or mask has another shape.
        """
        return self._quantize(z, mask, self._valid(z, mask), len(self.codebook_sizes))

    def encode(self, z: Tensor) -> Tensor:
        """Codes of latents, as transmitted.

        Args:
            z: [B, D, T] or [N, D].
        Returns:
            int64 [B, T] or [N]; [B, K, T] or [N, K] for a stack.
        Raises:
            ShapeError: z has another shape.
        """
        return self._encode(z, len(self.codebook_sizes))

    def decode(self, codes: Tensor) -> Tensor:
        """Latents of codes.

        Args:
            codes: int64 [B, T] or [N]; [B, K, T] or [N, K] for a stack.
        Returns:
            [B, D, T] or [N, D] in the dtype of the parameters, at least float32.
        Raises:
            ShapeError: codes have another shape.
        """
        stack = self._is_stack()
        if codes.dim() not in ((2, 3) if stack else (1, 2)):
            wanted = "[B, K, T] or [N, K]" if stack else "[B, T] or [N]"
            raise ShapeError(f"codes must be {wanted}, got {list(codes.shape)}")
        flat = codes if codes.dim() == (2 if stack else 1) else codes.transpose(1, -1).flatten(0, 1)
        with torch.autocast(codes.device.type, enabled=False):
            rows = self.decode_rows(flat)
        return rows if flat is codes else to_frames(rows, len(codes))

    @torch.no_grad()
    def init_from_data(self, z: Tensor, mask: Tensor | None = None) -> None:
        """Start the codebooks from latents; a function of (z, seed). Collective: rank 0's latents decide for all ranks.

        Args:
            z: [B, D, T] or [N, D], any number of vectors from one up.
            mask: as in `forward`.
        Raises:
            ShapeError: no vector, or another shape.
        """
        self._init_from_data(z, mask, self.init_rows)

    def _init_from_data(self, z: Tensor, mask: Tensor | None, init: Callable[[Tensor, torch.Generator], None]) -> None:
        rows, valid = to_rows(z, self.dim), self._valid(z, mask)
        rows = rows if valid is None else rows[valid]
        if decides():
            if len(rows) == 0:
                raise ShapeError("init_from_data needs at least one latent vector, got none")
            init(rows.to(self._dtype(rows)), generator_for(self.seed))
        broadcast([*self.parameters(), *self.buffers()])
        self.reservoir = None

    def maintain(
        self, step: int, optimizer: torch.optim.Optimizer | None = None, max_steps: int | None = None
    ) -> dict[str, float]:
        """Care for the codebooks; call once after every optimizer step, on all ranks with the same arguments.

        Ends the warm-up, updates EMA codebooks and temperatures, and replaces dead codewords from the token counts of
        all ranks. Touches the host only where something is due.

        Args:
            step: optimizer steps done so far, this one included.
            optimizer: its moments of replaced codewords are set to zero.
            max_steps: length of the run; replacement stops at 90 % of it unless set otherwise.
        Returns:
            What happened, for the log: empty on most steps.
        """
        if self.reservoir is not None:
            if step < self.warmup or not agreed(self.reservoir.seen > 0):
                return {}
            self.init_from_data(self.reservoir.rows())
            return {"initialised": 1.0}
        return maintain_codebooks(self.codebooks(), step, optimizer, max_steps)

    def codebook_parameters(self) -> Iterator[nn.Parameter]:
        """The codebooks alone, for a parameter group of their own (no weight decay, own learning rate)."""
        for name, parameter in self.named_parameters():
            if name.rpartition(".")[2] == "codebook":
                yield parameter

    def _quantize(self, z: Tensor, mask: Tensor | None, kept: Tensor | None, n_q: int) -> Quantized:
        rows, valid = to_rows(z, self.dim), self._valid(z, mask)
        with torch.autocast(z.device.type, enabled=False):
            rows = rows.to(self._dtype(z))
            if valid is not None:
                rows = torch.where(valid[:, None], rows, rows.new_zeros(()))
            if not self.training:
                out = self._deploy(rows, kept, n_q)
            elif self.reservoir is not None:
                out = self._warm_up(rows, valid)
            else:
                out = self.train_rows(rows, kept)
        z_q, codes = out.z_q, out.codes
        if valid is not None:
            z_q = torch.where(valid[:, None], z_q, z_q.new_zeros(()))
            codes = torch.where(valid if codes.dim() == 1 else valid[:, None], codes, codes.new_zeros(()))
        codes = codes[:, :n_q] if codes.dim() == 2 else codes
        if z.dim() == 3:
            z_q = to_frames(z_q, len(z))
            codes = codes.unflatten(0, (len(z), z.shape[2]))
            codes = codes.transpose(1, 2) if codes.dim() == 3 else codes
        return Quantized(z_q.to(z.dtype), codes, out.loss, out.metrics)

    def _deploy(self, rows: Tensor, kept: Tensor | None, n_q: int) -> Quantized:
        codes = self.encode_rows(rows.detach(), n_q, kept)
        with torch.no_grad():
            metrics = self.measure_rows(rows.detach(), codes, kept)
        return Quantized(self.decode_rows(codes, kept), codes, rows.new_zeros(()), metrics)

    def _warm_up(self, rows: Tensor, valid: Tensor | None) -> Quantized:
        assert self.reservoir is not None
        self.reservoir.add(rows.detach(), valid)
        untouched = sum((p.sum() for p in self.parameters()), rows.new_zeros(())) * 0  # DDP must see all of them used
        shape = (len(rows), len(self.codebook_sizes)) if self._is_stack() else (len(rows),)
        return Quantized(rows + untouched, rows.new_zeros(shape, dtype=torch.int64), rows.new_zeros(()), {})

    def _encode(self, z: Tensor, n_q: int) -> Tensor:
        with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
            codes = self.encode_rows(to_rows(z, self.dim).to(self._dtype(z)), n_q)
        if z.dim() == 2:
            return codes
        codes = codes.unflatten(0, (len(z), z.shape[2]))
        return codes.transpose(1, 2) if codes.dim() == 3 else codes

    def _is_stack(self) -> bool:
        return False

    @property
    def dtype(self) -> torch.dtype:
        """Dtype to decode in: that of the parameters, at least float32."""
        first = next((t for t in chain(self.parameters(), self.buffers()) if t.is_floating_point()), None)
        return torch.float32 if first is None else torch.promote_types(first.dtype, torch.float32)

    def _dtype(self, z: Tensor) -> torch.dtype:
        """Dtype to encode in: the wider one of z and `dtype`."""
        return torch.promote_types(z.dtype, self.dtype)

    def _valid(self, z: Tensor, mask: Tensor | None) -> Tensor | None:
        if mask is None:
            return None
        wanted = (z.shape[0], z.shape[2]) if z.dim() == 3 else (z.shape[0],)
        if mask.shape != wanted or mask.dtype != torch.bool:
            raise ShapeError(f"mask must be bool {list(wanted)}, got {mask.dtype} {list(mask.shape)}")
        return mask.flatten()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        if self.reservoir is not None and f"{prefix}reservoir.latents" not in state_dict:
            self.reservoir = None  # the checkpoint was written after the warm-up
        super()._load_from_state_dict(state_dict, prefix, *args)


def to_rows(z: Tensor, dim: int) -> Tensor:
    """[B, D, T] or [N, D] -> [N, D], frames of an item next to each other and each vector in one piece of memory."""
    if z.dim() not in (2, 3) or z.shape[1] != dim or not z.is_floating_point():
        raise ShapeError(f"latents must be floating [B, {dim}, T] or [N, {dim}], got {z.dtype} {list(z.shape)}")
    # Of a single item flatten() gives a view whose vectors lie scattered, and every later step would be slow.
    return z if z.dim() == 2 else z.transpose(1, 2).flatten(0, 1).contiguous()


def to_frames(rows: Tensor, batch_size: int) -> Tensor:
    """[B * T, D] -> [B, D, T], the inverse of `to_rows`."""
    return rows.unflatten(0, (batch_size, len(rows) // max(batch_size, 1))).transpose(1, 2)
