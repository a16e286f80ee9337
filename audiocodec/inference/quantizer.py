"""The residual quantizer as deployed, on NumPy arrays: codes of latents, latents of codes."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config.quantizer import QuantizerConfig, fsq_levels
from .layers import Array, Linear, States, Weights
from .nearest import Table
from .ops import ArrayOps
from .paths import Points

Codes = NDArray[np.int64]


class VectorStage:
    """One codebook, whatever method trained it, or a grid of points on the segments between its codewords (SF-DiVeQ).

    Args:
        weights: of the stage.
        size: codes that there shall be.
        sf_bits: 2^sf_bits points a segment.
    """

    def __init__(self, weights: Weights, size: int, sf_bits: int):
        self.points = _grid(weights["codebook"], sf_bits)
        if len(self.points) != size:
            raise ValueError(f"{weights.prefix}codebook gives {len(self.points)} codes, not {size}")
        if "project.weight" in weights:  # Gumbel-softmax with logits of its own: the highest wins, the lowest score
            self.table = Table(weights["project.weight"], -weights["project.bias"])
        else:
            self.table = Table.of(self.points)

    def search(self, ops: Any, rows: Any) -> Any:
        """Codes [...] of latents [..., D]."""
        return ops.nearest(rows, self.table)

    def lookup(self, ops: Any, codes: Any) -> Any:
        """Latents [..., D] of codes [...]."""
        return ops.take(self.points, codes)


def _grid(corners: Array, sf_bits: int) -> Array:
    """Corners [K, D] and, between each two, 2^n - 1 points more: [(K - 1) 2^n + 1, D]; as SFDiVeQ.lookup."""
    if sf_bits == 0:
        return corners
    steps = 1 << sf_bits
    code = np.arange((len(corners) - 1) * steps + 1)
    start, end = corners[code >> sf_bits], corners[np.minimum((code >> sf_bits) + 1, len(corners) - 1)]
    place: Array = (code & (steps - 1)).astype(corners.dtype) / steps
    return start + place[:, None] * (end - start)


class GridStage:
    """Finite scalar quantization; see quantizers/fsq.py."""

    def __init__(self, levels: tuple[int, ...]):
        self.levels = levels
        self.strides = tuple(int(np.prod(levels[:i], dtype=np.int64)) for i in range(len(levels)))

    def search(self, ops: Any, rows: Any) -> Any:
        """Codes [...] of projected latents [..., number of levels]."""
        return ops.grid_codes(rows, self.levels, self.strides)

    def lookup(self, ops: Any, codes: Any) -> Any:
        """Points [..., number of levels] in [-1, 1] of codes [...]."""
        return ops.grid_points(codes, self.levels, self.strides)


class ProjectedStage:
    """A stage that searches in a projection."""

    def __init__(self, inner: VectorStage | GridStage, weights: Weights):
        self.inner = inner
        self.project_in, self.project_out = (Linear(weights.at(name)) for name in ("project_in", "project_out"))

    def search(self, ops: Any, rows: Any) -> Any:
        """See VectorStage."""
        return self.inner.search(ops, self.project_in.step(ops, rows, States([])))

    def lookup(self, ops: Any, codes: Any) -> Any:
        """See VectorStage."""
        return self.project_out.step(ops, self.inner.lookup(ops, codes), States([]))


Stage = VectorStage | GridStage | ProjectedStage


class Quantizer:
    """A stack of stages.

    Args:
        config: says how they search.
        weights: of the stack, in the precision to work in: float64 to encode, float32 to decode.
    """

    def __init__(self, config: QuantizerConfig, weights: Weights):
        self.stages = [_stage(config, weights.at("stages", i)) for i in range(config.n_q)]
        self._ops = ArrayOps(weights.dtype)
        self.beam, self.size, self._points = config.beam, config.alphabet_size, list[Points]()

    def encode(self, ops: Any, latents: Any, n_q: int) -> Any:
        """Latents [B, T, D] to codes [B, n_q, T]: each stage codes what the stages before it left over."""
        if self.beam > 1:
            return ops.best_paths(latents, self.points()[:n_q], self.beam)
        left, codes = latents, []
        for index, stage in enumerate(self.stages[:n_q]):
            codes.append(stage.search(ops, left))
            if index + 1 < n_q:
                left = left - stage.lookup(ops, codes[-1])
        return ops.stack(codes)

    def points(self) -> list[Points]:
        """What the codes of each stage stand for, made once."""
        if not self._points:
            every = np.arange(self.size)[None]
            self._points = [Points(stage.lookup(self._ops, every)[0]) for stage in self.stages]
        return self._points

    @cached_property
    def _table(self) -> Array | None:
        """Codebooks [n_q * size, D], one below the other, where codes stand for latents without a map between."""
        plain = [stage.points for stage in self.stages if isinstance(stage, VectorStage)]
        return np.concatenate(plain) if len(plain) == len(self.stages) else None

    def decode(self, ops: Any, codes: Any, n_q: int) -> Any:
        """Codes [B, n_q, T] to latents [B, T, D]."""
        if self._table is not None:
            return ops.take_and_add(self._table[: n_q * self.size], codes, self.size)
        total = self.stages[0].lookup(ops, ops.layer_of(codes, 0))
        for index in range(1, n_q):
            total = total + self.stages[index].lookup(ops, ops.layer_of(codes, index))
        return total


def _stage(config: QuantizerConfig, weights: Weights) -> Stage:
    if config.method == "fsq":
        return ProjectedStage(GridStage(fsq_levels(config.codebook_size)), weights)
    size, sf_bits = config.alphabet_size, config.sf_bits
    if config.codebook_dim is not None:
        return ProjectedStage(VectorStage(weights.at("inner"), size, sf_bits), weights)
    return VectorStage(weights, size, sf_bits)
