"""Product quantization: equal parts of the latent, each with a codebook of its own."""

from collections.abc import Callable
from warnings import catch_warnings, simplefilter

import torch
from torch import Tensor, nn

from ..errors import ConfigError, ShapeError
from . import telemetry
from .base import Quantized, Quantizer
from .vector import VectorQuantizer


class ProductQuantizer(Quantizer):
    """Splits a latent into M parts of equal size; one gradient estimator acts on the whole vector.

    So parts may be very small (even scalars): DiVeQ takes 1 / dim of the gradient for the codebooks, not 1 / part.

    Args:
        method: makes the quantizer of a part from (codebook_size, dim): a class of this package, or functools.partial.
        n_parts: M; must divide `dim`.
        codebook_size: codewords a part.
        dim: D.
        warmup, seed: see Quantizer.
    Raises:
        ConfigError: D is not a multiple of M, or the method has no estimator of its own (projected ones, FSQ).
    Source: Jégou et al. 2011, "Product quantization for nearest neighbor search", section II; estimator on the whole
        vector: Vali, Bäckström & Solin 2026, arXiv:2509.26469, appendix C.9.
    """

    def __init__(
        self,
        method: Callable[[int, int], Quantizer],
        n_parts: int,
        codebook_size: int,
        dim: int,
        *,
        warmup: int = 0,
        seed: int = 0,
    ):
        if n_parts < 1 or dim % n_parts:
            raise ConfigError(f"dim {dim} cannot be split into {n_parts} equal parts")
        super().__init__(dim, warmup=warmup, capacity=32 * codebook_size, seed=seed)
        with catch_warnings():
            simplefilter("ignore")  # small parts starve no encoder here: see above
            parts = [method(codebook_size, dim // n_parts) for _ in range(n_parts)]
        if not all(isinstance(part, VectorQuantizer) for part in parts):
            raise ConfigError("a product needs methods with a codebook of their own (not projected ones, not FSQ)")
        self.parts = nn.ModuleList(parts)

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        return tuple(size for part in self.codebooks() for size in part.codebook_sizes)

    def codebooks(self) -> list[VectorQuantizer]:
        return list(self.parts)  # type: ignore[arg-type]

    def train_rows(self, rows: Tensor, kept: Tensor | None) -> Quantized:
        hard, codes, losses, seen = [], [], [], []
        for part, mine in self._split(rows):
            choice = part.select(mine)
            losses.append(part.aux_loss(mine, choice, kept))
            seen.append(part.observe(mine.detach(), choice.codes, kept))
            hard.append(choice.hard)
            codes.append(choice.codes)
        z_q = self.codebooks()[0].estimate(rows, torch.cat(hard, dim=1))
        metrics = self._metrics(rows.detach(), torch.cat(hard, dim=1).detach(), kept, seen)
        return Quantized(z_q, torch.stack(codes, dim=1), torch.stack(losses).mean(), metrics)

    def encode_rows(self, rows: Tensor, n_q: int, kept: Tensor | None = None) -> Tensor:
        return torch.stack([part.search(mine, None) for part, mine in self._split(rows)], dim=1)

    def decode_rows(self, codes: Tensor, kept: Tensor | None = None) -> Tensor:
        if codes.shape[1] != len(self.parts):
            raise ShapeError(f"a product of {len(self.parts)} parts cannot decode {codes.shape[1]} codes a vector")
        parts = zip(self.codebooks(), codes.unbind(dim=1), strict=True)
        return torch.cat([part.lookup(mine, self.dtype) for part, mine in parts], dim=1)

    def measure_rows(self, rows: Tensor, codes: Tensor, kept: Tensor | None) -> dict[str, Tensor]:
        seen = [part.measure(mine, codes[:, i], kept) for i, (part, mine) in enumerate(self._split(rows))]
        return self._metrics(rows, self.decode_rows(codes).to(rows.dtype), kept, seen)

    def init_rows(self, rows: Tensor, generator: torch.Generator) -> None:
        for part, mine in self._split(rows):
            part.init_rows(mine, generator)

    def _metrics(
        self, rows: Tensor, hard: Tensor, kept: Tensor | None, seen: list[tuple[Tensor, Tensor | None]]
    ) -> dict[str, Tensor]:
        """Each part's error counts over the energy of the whole: they add up to the error of the whole."""
        left = [telemetry.energy(error, kept) for error in (rows - hard).chunk(len(self.parts), dim=1)]
        return telemetry.summary(rows, kept, [counts for counts, _ in seen], left, [gap for _, gap in seen])

    def _split(self, rows: Tensor) -> list[tuple[VectorQuantizer, Tensor]]:
        parts = (part.contiguous() for part in rows.chunk(len(self.parts), dim=1))
        return list(zip(self.codebooks(), parts, strict=True))

    def _is_stack(self) -> bool:
        return True
