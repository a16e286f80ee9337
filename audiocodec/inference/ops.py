"""The operations that networks are described in, on NumPy arrays of frames [B, T, D]; for ONNX: graph_ops.py."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .nearest import Table, nearest
from .paths import Points, best_paths

Array = NDArray[Any]

SLAB = 8192  # numbers that pass through all steps of a formula while they lie in the cache
STEPS = 1024  # points of the table of the normal distribution for each unit
REACH = 8.5  # beyond, the tail is below 1e-17


class ArrayOps:
    """Computes. T is the number of frames, dim 1; D their width, dim 2; linear maps are [D in, D out].

    Args:
        dtype: of numbers that are made from codes.
    """

    def __init__(self, dtype: str):
        self.dtype = dtype

    def linear(self, x: Array, weight: Array, bias: Array | None = None) -> Array:
        """x @ weight + bias, as one matrix product over all frames of all items."""
        y = x.reshape(-1, x.shape[-1]) @ weight
        if bias is not None:
            y += bias
        return y.reshape(*x.shape[:-1], weight.shape[1])

    def join(self, parts: Sequence[Array], axis: int) -> Array:
        """Concatenate."""
        return np.concatenate(parts, axis=axis)

    def cut(self, x: Array, start: int | None, stop: int | None, step: int = 1) -> Array:
        """Frames start:stop:step; numbers below zero count from the end."""
        return x[:, start:stop:step]

    def tail(self, x: Array, frames: int) -> Array:
        """The last so many frames, which may be none."""
        return x[:, x.shape[1] - frames :].copy()  # a copy: a state shall not hold on to the block it was cut from

    def split(self, x: Array, parts: int) -> list[Array]:
        """Equal parts of every frame."""
        return np.split(x, parts, axis=2)

    def regroup(self, x: Array, width: int) -> Array:
        """Frames of another width, so more or fewer of them."""
        return x.reshape(len(x), x.shape[1] * x.shape[2] // width, width)

    def swap(self, x: Array) -> Array:
        """[B, T, D] <-> [B, D, T]."""
        return x.transpose(0, 2, 1)

    def log(self, x: Array) -> Array:
        """Natural logarithm."""
        return np.log(x)

    def sqrt(self, x: Array) -> Array:
        """Square root."""
        return np.sqrt(x)

    def power(self, x: Array, exponent: float) -> Array:
        """x >= 0 to a constant power."""
        if exponent == -0.5:  # ten times as fast
            return 1 / np.sqrt(x)
        return np.power(x, exponent) if exponent != 1 else x

    def magnitude(self, x: Array) -> Array:
        """Absolute value."""
        return np.abs(x)

    def tanh(self, x: Array) -> Array:
        """Hyperbolic tangent."""
        return np.tanh(x)

    def sin(self, x: Array) -> Array:
        """Sine."""
        return np.sin(x)

    def cos(self, x: Array) -> Array:
        """Cosine."""
        return np.cos(x)

    def elu(self, x: Array) -> Array:
        """x where positive, exp(x) - 1 elsewhere."""
        return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))

    def gelu(self, x: Array) -> Array:
        """x times the normal distribution function of x, to 1e-15 in float64 and to rounding in float32."""
        out = np.empty(x.shape, x.dtype)
        flat_in, flat_out = x.reshape(-1), out.reshape(-1)
        for start in range(0, x.size, SLAB):
            slab = flat_in[start : start + SLAB]
            np.multiply(slab, _normal_cdf(slab), out=flat_out[start : start + SLAB])
        return out

    def layer_norm(self, x: Array, weight: Array, bias: Array, epsilon: float) -> Array:
        """Every frame to mean 0 and variance 1, then scaled and shifted."""
        y = x - x.mean(axis=2, keepdims=True)
        variance = np.einsum("btd,btd->bt", y, y)[..., None] / x.shape[2]
        y *= 1 / np.sqrt(variance + epsilon)
        y *= weight
        y += bias
        return y

    def depthwise(self, x: Array, taps: Array, bias: Array) -> Array:
        """Convolve every channel with its own taps [K, D]: [B, T + K - 1, D] -> [B, T, D]."""
        n = x.shape[1] - len(taps) + 1
        y = x[:, :n] * taps[0]
        for k in range(1, len(taps)):
            y += x[:, k : k + n] * taps[k]
        y += bias
        return y

    def conv(self, x: Array, taps: Array, bias: Array, stride: int, dilation: int) -> Array:
        """Convolve with taps [K, D in, D out]; every output needs all of its taps."""
        reach = (len(taps) - 1) * dilation
        n = (x.shape[1] - reach - 1) // stride + 1
        y = np.zeros((len(x), n, taps.shape[2]), x.dtype)
        for k, tap in enumerate(taps):
            y += x[:, k * dilation : k * dilation + (n - 1) * stride + 1 : stride] @ tap
        y += bias
        return y

    # -- of quantizers -------------------------------------------------------------------------------------------------

    def nearest(self, x: Array, table: Table) -> Array:
        """Index [B, T] of the best point of `table` for every frame."""
        return nearest(x.reshape(-1, x.shape[2]), table).reshape(x.shape[:2])

    def best_paths(self, x: Array, stages: Sequence[Points], width: int) -> Array:
        """Codes [B, stages, T] of the best of `width` paths through all stages, for every frame."""
        codes = best_paths(x.reshape(-1, x.shape[2]), stages, width)
        return codes.reshape(*x.shape[:2], len(stages)).transpose(0, 2, 1)

    def take(self, points: Array, index: Array) -> Array:
        """Rows of points [K, D] by index [B, T]: [B, T, D]."""
        return points[index]

    def take_and_add(self, points: Array, codes: Array, size: int) -> Array:
        """Sum of a row from each of the tables of `size` rows that `points` [n * size, D] begins with.

        Args:
            points: the tables, one below the other.
            codes: [B, K, T], rows within the first K tables.
            size: rows of a table.
        Returns:
            [B, T, D].
        """
        rows = codes.transpose(0, 2, 1) + np.arange(0, codes.shape[1] * size, size)
        total: Array = points[rows].sum(axis=2)
        return total

    def stack(self, codes: Sequence[Array]) -> Array:
        """[B, T] each -> [B, K, T]."""
        return np.stack(codes, axis=1)

    def layer_of(self, codes: Array, index: int) -> Array:
        """Codes [B, K, T] of one stage: [B, T]."""
        return codes[:, index]

    def grid_codes(self, x: Array, levels: Sequence[int], strides: Sequence[int]) -> Array:
        """Index [B, T] of the grid point that tanh(x) is rounded to."""
        n = np.array(levels, x.dtype)
        steps = np.clip(np.rint((np.tanh(x) + 1) * (n / 2) - 0.5), 0, n - 1).astype(np.int64)
        return (steps * np.array(strides)).sum(axis=2)

    def grid_points(self, codes: Array, levels: Sequence[int], strides: Sequence[int]) -> Array:
        """Points [B, T, number of levels] in [-1, 1] of a grid."""
        steps = codes[..., None] // np.array(strides) % np.array(levels)
        return (2 * steps / (np.array(levels) - 1) - 1).astype(self.dtype)


@lru_cache(maxsize=2)
def normal_table(dtype: str) -> tuple[Array, Array]:
    """The normal distribution function and its density at (i - n) / STEPS for i = 0 ... 2 n, with n = REACH * STEPS."""
    n = int(REACH * STEPS)
    half = np.arange(n + 1) / STEPS
    tail = np.array([math.erfc(x * math.sqrt(0.5)) / 2 for x in half])
    cdf = np.concatenate([tail[:0:-1], 1 - tail])
    density = np.exp(-np.square(half) / 2) / math.sqrt(2 * math.pi)
    return cdf.astype(dtype), np.concatenate([density[:0:-1], density]).astype(dtype)


def _normal_cdf(x: Array) -> Array:
    """Normal distribution function: the nearest point of the table, and a Taylor series from there (error d^4 / 24)."""
    cdf, density = normal_table(x.dtype.char)
    clipped = np.clip(x, -REACH, REACH)
    place = np.rint(clipped * STEPS)
    at = place * (1 / STEPS)
    d = clipped - at
    place += REACH * STEPS
    with np.errstate(invalid="ignore"):  # of what is not a number; it stays one
        index = place.astype(np.intp)
    y = at * at
    y -= 1
    y *= d
    y *= 1 / 3
    np.subtract(at, y, out=y)
    y *= d
    y *= -0.5
    y += 1
    y *= d
    y *= density.take(index, mode="clip")
    y += cdf.take(index, mode="clip")
    return y
