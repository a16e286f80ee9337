"""The networks of networks/spectral.py in terms of `ops`, for NumPy and ONNX; its constants and formulas are theirs."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config.codec import SpectralConfig
from .layers import Array, Chain, ConvNeXt, Layer, Linear, Norm, Overlap, States, Weights

LEVEL, FLOOR, DENORMAL = 20.0, 1e-4, 1e-18


def lapped_basis(hop_length: int) -> NDArray[np.float32]:
    """Window times basis of the lapped transform, [2 M, 2 M], as in nn/lapped.py, which keeps it in float32 too."""
    n = np.arange(2 * hop_length) + 0.5
    k = np.arange(hop_length) + 0.5
    window = np.sin(math.pi / (2 * hop_length) * n) * math.sqrt(2 / hop_length)
    phase = math.pi / hop_length * (n + hop_length / 2)[:, None] * k
    return (window[:, None] * np.concatenate([np.cos(phase), np.sin(phase)], axis=1)).astype(np.float32)


def _frame_net(weights: Weights, depth: int) -> Chain:
    blocks = [ConvNeXt(weights.at("blocks", "layers", i)) for i in range(depth)]
    return Chain([Linear(weights.at("input")), *blocks, Norm(weights.at("norm")), Linear(weights.at("output"))])


def _magnitude(ops: Any, real: Any, imag: Any) -> Any:
    return ops.sqrt(real * real + imag * imag + FLOOR**2)


class SpectralEncoder(Layer):
    """wav [B, 1, T * hop] -> latents [B, T, D]."""

    def __init__(self, config: SpectralConfig, weights: Weights):
        self.power, self.hop_length = config.compression, config.hop_length
        self.basis: Array = lapped_basis(config.hop_length).astype(weights.dtype)
        self.net = _frame_net(weights.at("net"), config.encoder_depth)
        self.linear = Linear(weights.at("linear"))
        self.memory = [(1, config.hop_length), *self.net.memory]

    def step(self, ops: Any, x: Any, states: States) -> Any:
        level = x * LEVEL + DENORMAL - DENORMAL  # what is next to zero becomes zero, as in networks/spectral.py
        hops = states.extend(ops, ops.regroup(level, self.hop_length), 1)
        windows = ops.join([ops.cut(hops, None, -1), ops.cut(hops, 1, None)], axis=2)
        real, imag = ops.split(ops.linear(windows, self.basis), 2)
        magnitude = _magnitude(ops, real, imag)
        gain = ops.power(magnitude, self.power - 1)
        features = ops.join([real * gain, imag * gain, ops.log(magnitude + 1e-2) * 0.3], axis=2)
        lines = real * ops.power(ops.magnitude(real) + FLOOR, self.power - 1)
        return self.net.step(ops, features, states) + self.linear.step(ops, lines, states)


class SpectralDecoder(Layer):
    """latents [B, T, D] -> wav [B, 1, T * hop], late by one hop."""

    def __init__(self, config: SpectralConfig, weights: Weights):
        self.power, self.hop_length = config.compression, config.hop_length
        self.delay = config.hop_length  # samples
        self.net = _frame_net(weights.at("net"), config.decoder_depth)
        self.linear = Linear(weights.at("linear"))
        self.scatter = None if config.scatter is None else weights.matrix("scatter")
        basis: Array = lapped_basis(config.hop_length).astype(weights.dtype)
        self.synthesis = Overlap(np.ascontiguousarray(basis.T), config.hop_length)
        self.memory = [*self.net.memory, *self.synthesis.memory]

    def step(self, ops: Any, x: Any, states: States) -> Any:
        real, imag = ops.split(self.net.step(ops, x, states), 2)
        if self.scatter is not None:
            angle = ops.linear(x, self.scatter)
            cos, sin = ops.cos(angle), ops.sin(angle)
            real, imag = real * cos - imag * sin, real * sin + imag * cos
        real = real + self.linear.step(ops, x, states)
        gain = ops.power(_magnitude(ops, real, imag), 1 / self.power - 1)
        hops = self.synthesis.step(ops, ops.join([real * gain, imag * gain], axis=2), states)
        return ops.swap(ops.regroup(hops * (1 / LEVEL), 1))
