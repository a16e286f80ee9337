"""The networks of networks/seanet.py in terms of `ops`, for NumPy and ONNX."""

from typing import Any

import numpy as np

from ..config.codec import SEANetConfig
from .layers import Chain, Conv, Elu, Layer, Overlap, Residual, Snake, States, Weights


def _activation(kind: str, weights: Weights) -> Layer:
    return Elu() if kind == "elu" else Snake(weights.at("layer"))


def _residual_units(config: SEANetConfig, weights: Weights, first: int) -> list[Layer]:
    units: list[Layer] = []
    for index, dilation in enumerate(config.dilations):
        body = weights.at(first + index, "body", "layers")
        units.append(
            Residual(
                [
                    _activation(config.activation, body.at(0)),
                    Conv(body.at(1), dilation=dilation),
                    _activation(config.activation, body.at(2)),
                    Conv(body.at(3)),
                ]
            )
        )
    return units


class SEANetEncoder(Layer):
    """wav [B, C, T * hop] -> latents [B, T, D]."""

    def __init__(self, config: SEANetConfig, weights: Weights):
        weights = weights.at("chain", "layers")
        layers: list[Layer] = [Conv(weights.at(0))]
        for stride in config.strides:
            layers += _residual_units(config, weights, len(layers))
            layers += [_activation(config.activation, weights.at(len(layers)))]
            layers += [Conv(weights.at(len(layers)), stride)]
        layers += [_activation(config.activation, weights.at(len(layers)))]
        self.chain = Chain([*layers, Conv(weights.at(len(layers)))])
        self.memory = self.chain.memory

    def step(self, ops: Any, x: Any, states: States) -> Any:
        return self.chain.step(ops, ops.swap(x), states)


class SEANetDecoder(Layer):
    """latents [B, T, D] -> wav [B, C, T * hop]; no delay."""

    delay = 0  # samples

    def __init__(self, config: SEANetConfig, weights: Weights):
        weights = weights.at("chain", "layers")
        layers: list[Layer] = [Conv(weights.at(0))]
        for _ in config.strides:
            layers += [_activation(config.activation, weights.at(len(layers)))]
            layers += [_upsampling(weights.at(len(layers), "conv"))]
            layers += _residual_units(config, weights, len(layers))
        layers += [_activation(config.activation, weights.at(len(layers)))]
        self.chain = Chain([*layers, Conv(weights.at(len(layers)))])
        self.memory = self.chain.memory

    def step(self, ops: Any, x: Any, states: States) -> Any:
        return ops.swap(ops.tanh(self.chain.step(ops, x, states)))


def _upsampling(weights: Weights) -> Overlap:
    """A transposed convolution twice as long as its stride: [D in, D out, 2 * stride] in torch."""
    weight = weights["weight"]
    d_in, d_out, _ = weight.shape
    return Overlap(np.ascontiguousarray(weight.transpose(0, 2, 1).reshape(d_in, -1)), d_out, weights["bias"])
