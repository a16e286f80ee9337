"""The operations of ops.py on names instead of numbers: running a network through them writes its ONNX graph.

Float64 graphs are made of what ONNX Runtime has in float64: it has no Erf, Conv, ConvTranspose and Elu there.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from .nearest import Table
from .ops import REACH, STEPS, normal_table
from .paths import Points

Array = NDArray[Any]
GROUP = 32  # numbers of which the lowest is found at once
END = np.iinfo(np.int64).max


class Value:
    """The name of a tensor in a graph that is being written; arithmetic with it adds nodes."""

    def __init__(self, graph: "GraphOps", name: str):
        self.graph, self.name = graph, name

    def __add__(self, other: Any) -> "Value":
        return self.graph.node("Add", self, other)

    def __sub__(self, other: Any) -> "Value":
        return self.graph.node("Sub", self, other)

    def __mul__(self, other: Any) -> "Value":
        return self.graph.node("Mul", self, other)


class GraphOps:
    """Writes. The methods are those of ArrayOps, and so are their meanings.

    Args:
        dtype: "float32" or "float64", of all numbers but codes.
    """

    def __init__(self, dtype: str):
        self.dtype = np.dtype(dtype)
        self.exact = self.dtype == np.float64
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self._names: dict[int, tuple[Array, str]] = {}  # arrays that are in the graph already, kept alive

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def node(self, kind: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; inputs are Values, arrays or numbers. Returns its output, or a list of several."""
        names = [self._name(value) for value in inputs]
        out = [f"{kind.lower()}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, out, **attributes))
        values = [Value(self, name) for name in out]
        return values[0] if outputs == 1 else values

    def _name(self, value: Any) -> str:
        if isinstance(value, Value):
            return value.name
        if isinstance(value, float | int):
            return self._constant(f"number_{value!r}", np.array(value, self.dtype))
        if id(value) not in self._names:
            self._names[id(value)] = value, f"array_{len(self._names)}"
        return self._constant(self._names[id(value)][1], value)

    def integers(self, *values: int) -> Value:
        """A constant vector of integers."""
        return Value(self, self._constant(f"integers_{values}", np.array(values, np.int64)))

    def _constant(self, name: str, array: Array) -> str:
        if name not in self.initializers:
            array = array if array.dtype == np.int64 else array.astype(self.dtype)
            self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        return name

    # -- the operations of ArrayOps ------------------------------------------------------------------------------------

    def linear(self, x: Value, weight: Array, bias: Array | None = None) -> Value:
        """See ArrayOps."""
        y = self.node("MatMul", x, weight)
        return y if bias is None else y + bias

    def join(self, parts: Sequence[Value], axis: int) -> Value:
        """See ArrayOps."""
        return self.node("Concat", *parts, axis=axis)

    def cut(self, x: Value, start: int | None, stop: int | None, step: int = 1) -> Value:
        """See ArrayOps."""
        bounds = self.integers(start or 0), self.integers(END if stop is None else stop)
        return self.node("Slice", x, *bounds, self.integers(1), self.integers(step))

    def tail(self, x: Value, frames: int) -> Value:
        """See ArrayOps."""
        return self.cut(x, -frames if frames else END, None)

    def split(self, x: Value, parts: int) -> list[Value]:
        """See ArrayOps."""
        return self.node("Split", x, outputs=parts, axis=2, num_outputs=parts)

    def regroup(self, x: Value, width: int) -> Value:
        """See ArrayOps."""
        return self.node("Reshape", x, self.integers(0, -1, width))

    def swap(self, x: Value) -> Value:
        """See ArrayOps."""
        return self.node("Transpose", x, perm=[0, 2, 1])

    def log(self, x: Value) -> Value:
        """See ArrayOps."""
        return self.node("Log", x)

    def sqrt(self, x: Value) -> Value:
        """See ArrayOps."""
        return self.node("Sqrt", x)

    def power(self, x: Value, exponent: float) -> Value:
        """See ArrayOps."""
        if exponent == -0.5:
            return self.node("Reciprocal", self.sqrt(x))
        return self.node("Pow", x, float(exponent)) if exponent != 1 else x

    def magnitude(self, x: Value) -> Value:
        """See ArrayOps."""
        return self.node("Abs", x)

    def tanh(self, x: Value) -> Value:
        """See ArrayOps."""
        return self.node("Tanh", x)

    def sin(self, x: Value) -> Value:
        """See ArrayOps."""
        return self.node("Sin", x)

    def cos(self, x: Value) -> Value:
        """See ArrayOps."""
        return self.node("Cos", x)

    def elu(self, x: Value) -> Value:
        """See ArrayOps."""
        if not self.exact:
            return self.node("Elu", x)
        return self.node("Max", x, 0.0) + (self.node("Exp", self.node("Min", x, 0.0)) - 1.0)

    def gelu(self, x: Value) -> Value:
        """See ArrayOps."""
        if self.exact:
            return x * self._normal_cdf(x)
        # Written so that ONNX Runtime knows it: one kernel instead of five.
        return x * 0.5 * (self.node("Erf", self.node("Div", x, math.sqrt(2.0))) + 1.0)

    def _normal_cdf(self, x: Value) -> Value:
        """See ops.py."""
        cdf, density = normal_table(self.dtype.char)
        clipped = self.node("Min", self.node("Max", x, -REACH), REACH)
        place = self.node("Round", clipped * float(STEPS))
        at = place * (1 / STEPS)
        d = clipped - at
        index = self.node("Cast", place + REACH * STEPS, to=onnx.TensorProto.INT64)
        series = (at - (at * at - 1.0) * d * (1 / 3)) * d * -0.5 + 1.0
        return self.node("Gather", cdf, index) + self.node("Gather", density, index) * d * series

    def layer_norm(self, x: Value, weight: Array, bias: Array, epsilon: float) -> Value:
        """See ArrayOps."""
        return self.node("LayerNormalization", x, weight, bias, axis=-1, epsilon=epsilon)

    def depthwise(self, x: Value, taps: Array, bias: Array) -> Value:
        """See ArrayOps."""
        if not self.exact:
            # In two dimensions, one of them of size 1: ONNX Runtime has a kernel for channels side by side for these
            # only, which is three times as fast for one frame, ten times for many streams, and alike for both.
            kernel, height = np.ascontiguousarray(taps.T[:, None, None]), self.integers(2)
            image = self.node("Unsqueeze", self.swap(x), height)
            image = self.node("Conv", image, kernel, bias, group=taps.shape[1])
            return self.swap(self.node("Squeeze", image, height))
        last = len(taps) - 1
        y = self.cut(x, 0, -last or None) * taps[0]
        for k in range(1, len(taps)):
            y = y + self.cut(x, k, k - last or None) * taps[k]
        return y + bias

    def conv(self, x: Value, taps: Array, bias: Array, stride: int, dilation: int) -> Value:
        """See ArrayOps."""
        if not self.exact:
            kernel = np.ascontiguousarray(taps.transpose(2, 1, 0))
            y = self.node("Conv", self.swap(x), kernel, bias, strides=[stride], dilations=[dilation])
            return self.swap(y)
        last = (len(taps) - 1) * dilation
        y = None
        for k, tap in enumerate(taps):
            part = self.node("MatMul", self.cut(x, k * dilation, k * dilation - last or None, stride), tap)
            y = part if y is None else y + part
        return y + bias

    def nearest(self, x: Value, table: Table) -> Value:
        """See ArrayOps."""
        scores = self.node("Sub", table.offsets, self.node("MatMul", x, np.ascontiguousarray(table.points.T)))
        return self.node("ArgMin", scores, axis=-1, keepdims=0)

    def best_paths(self, x: Value, stages: Sequence[Points], width: int) -> Value:
        """See paths.py; here the matrix product itself ranks, in the precision of the graph."""
        tables = [points.values for points in stages]
        dim = tables[0].shape[1]
        left, codes, parents, paths = self.node("Reshape", x, self.integers(-1, 1, dim)), [], [], 1
        for table in tables:
            offset = np.einsum("kd,kd->k", table, table) / 2
            scores = self.node("Sub", offset, self.node("MatMul", left, np.ascontiguousarray(table.T)))
            scores = scores + self.node("ReduceSum", left * left, self.integers(2), keepdims=1) * 0.5
            size = paths * len(table)
            scores, paths = self.node("Reshape", scores, self.integers(-1, size)), min(width, size)
            choice = self._lowest(scores, size, paths)
            codes.append(self.node("Mod", choice, np.array(len(table))))
            parents.append(self.node("Div", choice, np.array(len(table))))
            before = self.node("GatherND", left, self.node("Unsqueeze", parents[-1], self.integers(2)), batch_dims=1)
            left = before - self.take(table, codes[-1])
        path, steps = self.cut(parents[0], 0, 1) * np.array(0), []
        for code, parent in zip(reversed(codes), reversed(parents), strict=True):
            steps.append(self.node("GatherElements", code, path, axis=1))
            path = self.node("GatherElements", parent, path, axis=1)
        rows = self.join(steps[::-1], axis=1)
        shape = self.node("Concat", self.node("Shape", x, end=2), self.integers(len(tables)), axis=0)
        return self.swap(self.node("Reshape", rows, shape))

    def _lowest(self, scores: Value, size: int, count: int) -> Value:
        """Places [N, count] of the lowest of scores [N, size], lowest first."""
        groups = size // GROUP
        if self.exact or size % GROUP or groups < GROUP:
            return self.node("TopK", scores, self.integers(count), outputs=2, axis=1, largest=0, sorted=1)[1]
        # TopK looks at one number after the other, ReduceMin at many at once: the lowest numbers are in the groups with
        # the lowest minima, and few are left to look at.
        table = self.node("Reshape", scores, self.integers(-1, groups, GROUP))
        minima = self.node("ReduceMin", table, self.integers(2), keepdims=0)
        best = self.node("TopK", minima, self.integers(count), outputs=2, axis=1, largest=0, sorted=1)[1]
        best, flat = self.node("Unsqueeze", best, self.integers(2)), self.integers(-1, count * GROUP)
        near = self.node("Reshape", self.node("GatherND", table, best, batch_dims=1), flat)
        chosen = self.node("TopK", near, self.integers(count), outputs=2, axis=1, largest=0, sorted=1)[1]
        places = self.node("Reshape", best * np.array(GROUP) + np.arange(GROUP), flat)
        return self.node("GatherElements", places, chosen, axis=1)

    def take(self, points: Array, index: Value) -> Value:
        """See ArrayOps."""
        return self.node("Gather", points, index)

    def take_and_add(self, points: Array, codes: Value, size: int) -> Value:
        """See ArrayOps; `codes` are of all tables."""
        rows = self.node("Gather", points, self.swap(codes) + np.arange(0, len(points), size))
        return self.node("ReduceSum", rows, self.integers(2), keepdims=0)

    def stack(self, codes: Sequence[Value]) -> Value:
        """See ArrayOps."""
        return self.node("Concat", *(self.node("Unsqueeze", some, self.integers(1)) for some in codes), axis=1)

    def layer_of(self, codes: Value, index: int) -> Value:
        """See ArrayOps."""
        return self.node("Gather", codes, np.array(index, np.int64), axis=1)

    def present(self, codes: Value) -> Value:
        """1 for frames of codes [B, K, T] that are codes, 0 for those that are -1: [B, T, 1]."""
        first = self.node("Greater", self.layer_of(codes, 0), np.array(-1, np.int64))
        kind = helper.np_dtype_to_tensor_dtype(self.dtype)
        return self.node("Unsqueeze", self.node("Cast", first, to=kind), self.integers(2))

    def grid_codes(self, x: Value, levels: Sequence[int], strides: Sequence[int]) -> Value:
        """See ArrayOps."""
        n = np.array(levels, self.dtype)
        places = (self.tanh(x) + 1.0) * (n / 2) - 0.5
        steps = self.node("Min", self.node("Max", self.node("Round", places), 0.0), n - 1)
        whole = self.node("Cast", steps, to=onnx.TensorProto.INT64)
        return self.node("ReduceSum", whole * np.array(strides, np.int64), self.integers(2), keepdims=0)

    def grid_points(self, codes: Value, levels: Sequence[int], strides: Sequence[int]) -> Value:
        """See ArrayOps."""
        places = self.node("Div", self.node("Unsqueeze", codes, self.integers(2)), np.array(strides, np.int64))
        steps = self.node("Mod", places, np.array(levels, np.int64))
        kind = helper.np_dtype_to_tensor_dtype(self.dtype)
        return self.node("Cast", steps, to=kind) * (2 / (np.array(levels, self.dtype) - 1)) - 1.0
