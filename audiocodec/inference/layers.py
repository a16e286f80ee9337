"""Weights by name, states, and the layers that networks are built of: the arithmetic of ../nn without torch."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, int]  # frames and width of one state, without the batch
EPSILON = 1e-5  # of layer norms, as torch has it


class Weights:
    """The arrays of one part of a model, by the names that torch gives them.

    Args:
        tensors: all arrays of a model by their full names.
        dtype: what they are returned in.
        prefix: where the part begins, with its dot.
    """

    def __init__(self, tensors: Mapping[str, Array], dtype: str, prefix: str = ""):
        self.tensors, self.dtype, self.prefix = tensors, dtype, prefix

    def at(self, *path: str | int) -> "Weights":
        """The weights of a part of this part."""
        return Weights(self.tensors, self.dtype, self.prefix + "".join(f"{name}." for name in path))

    def __contains__(self, name: str) -> bool:
        return self.prefix + name in self.tensors

    def __getitem__(self, name: str) -> Array:
        return self.tensors[self.prefix + name].astype(self.dtype)

    def matrix(self, name: str) -> Array:
        """A linear map, which torch keeps as [D out, D in], as [D in, D out]."""
        return np.ascontiguousarray(self[name].T)

    def taps(self, name: str) -> Array:
        """A convolution, [D out, D in, K] in torch, as [K, D in, D out]."""
        return np.ascontiguousarray(self[name].transpose(2, 1, 0))


class States:
    """What the layers of a network remember, in the order of their steps: `before` is consumed, `after` is made."""

    def __init__(self, before: Iterable[Any]):
        self._before = iter(before)
        self.after: list[Any] = []

    def extend(self, ops: Any, x: Any, frames: int) -> Any:
        """Put what is remembered before x, and remember its last `frames` frames."""
        longer = ops.join([next(self._before), x], axis=1)
        self.after.append(ops.tail(longer, frames))
        return longer


class Layer(ABC):
    """One or several steps; `memory` says the shapes of its states, in order."""

    memory: Sequence[Shape] = ()

    @abstractmethod
    def step(self, ops: Any, x: Any, states: States) -> Any:
        """Frames in, frames out, as `Streamable.step` in torch."""


class Linear(Layer):
    """A linear map of every frame."""

    def __init__(self, weights: Weights):
        self.weight = weights.matrix("weight")
        self.bias = weights["bias"] if "bias" in weights else None

    def step(self, ops: Any, x: Any, states: States) -> Any:
        return ops.linear(x, self.weight, self.bias)


class Norm(Layer):
    """Layer norm over the width of every frame."""

    def __init__(self, weights: Weights):
        self.weight, self.bias = weights["weight"], weights["bias"]

    def step(self, ops: Any, x: Any, states: States) -> Any:
        return ops.layer_norm(x, self.weight, self.bias, EPSILON)


class ConvNeXt(Layer):
    """As nn.blocks.ConvNeXtBlock."""

    def __init__(self, weights: Weights):
        conv = weights.at("depthwise", "conv")
        self.taps, self.bias = np.ascontiguousarray(conv["weight"][:, 0].T), conv["bias"]  # [K, W]
        self.norm, self.up, self.down = (kind(weights.at(name)) for kind, name in self.PARTS)
        scale = weights["scale"]
        self.down.weight, self.down.bias = self.down.weight * scale, self.down.bias * scale
        self.memory = [(len(self.taps) - 1, self.taps.shape[1])]

    PARTS: tuple[tuple[type[Any], str], ...] = ((Norm, "norm"), (Linear, "up"), (Linear, "down"))

    def step(self, ops: Any, x: Any, states: States) -> Any:
        y = ops.depthwise(states.extend(ops, x, len(self.taps) - 1), self.taps, self.bias)
        y = ops.gelu(self.up.step(ops, self.norm.step(ops, y, states), states))
        return x + self.down.step(ops, y, states)


class Conv(Layer):
    """As nn.conv.CausalConv1d without groups."""

    def __init__(self, weights: Weights, stride: int = 1, dilation: int = 1):
        conv = weights.at("conv")
        self.taps, self.bias, self.stride, self.dilation = conv.taps("weight"), conv["bias"], stride, dilation
        self.context = (len(self.taps) - 1) * dilation + 1 - stride
        self.memory = [(self.context, self.taps.shape[1])]

    def step(self, ops: Any, x: Any, states: States) -> Any:
        return ops.conv(states.extend(ops, x, self.context), self.taps, self.bias, self.stride, self.dilation)


class Overlap(Layer):
    """Frames to halves that overlap by one hop: the inverse lapped transform, and strided transposed convolutions.

    Args:
        weight: [D, 2 * hop]: what a frame adds to its own hop and to the next.
        width: of the frames that a hop is cut into afterwards.
        bias: [width].
    """

    def __init__(self, weight: Array, width: int, bias: Array | None = None):
        self.weight, self.width, self.bias = weight, width, bias
        self.memory = [(1, weight.shape[1] // 2)]

    def step(self, ops: Any, x: Any, states: States) -> Any:
        first, second = ops.split(ops.linear(x, self.weight), 2)
        y = ops.regroup(first + ops.cut(states.extend(ops, second, 1), None, -1), self.width)
        return y if self.bias is None else y + self.bias


class Snake(Layer):
    """As nn.blocks.Snake."""

    def __init__(self, weights: Weights):
        self.frequency = weights["frequency"][:, 0]
        self.inverse = 1 / (self.frequency + 1e-9)

    def step(self, ops: Any, x: Any, states: States) -> Any:
        wave = ops.sin(x * self.frequency)
        return x + wave * wave * self.inverse


class Elu(Layer):
    """Exponential linear unit."""

    def step(self, ops: Any, x: Any, states: States) -> Any:
        return ops.elu(x)


class Chain(Layer):
    """Layers one after the other."""

    def __init__(self, layers: Sequence[Layer]):
        self.layers = layers
        self.memory = [shape for layer in layers for shape in layer.memory]

    def step(self, ops: Any, x: Any, states: States) -> Any:
        for layer in self.layers:
            x = layer.step(ops, x, states)
        return x


class Residual(Chain):
    """x and what a chain makes of it."""

    def step(self, ops: Any, x: Any, states: States) -> Any:
        return x + super().step(ops, x, states)
