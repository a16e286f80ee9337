"""Steps of an encoder and of a decoder as ONNX graphs with explicit states."""

from typing import Any

import numpy as np
import onnx
from onnx import helper

from .graph_ops import GraphOps, Value
from .layers import Layer, States
from .quantizer import Quantizer

OPSET, IR_VERSION = 18, 9  # of 2022 and 2023: what phones and browsers in use can read
CHOICES = ("ArgMin", "TopK", "Round")  # the operations that make codes of float32 numbers


def encoder_graph(layer: Layer, dtype: str, channels: int, quantizer: Quantizer | None, n_q: int) -> onnx.ModelProto:
    """An encoder step: wav [B, C, T * hop] and states to codes [B, n_q, T], or to latents [B, T, D], and states."""
    ops = GraphOps(dtype)

    def step(x: Value, states: States) -> Value:
        latents = layer.step(ops, x, states)
        return latents if quantizer is None else quantizer.encode(ops, latents, n_q)

    kind = ops.dtype if quantizer is None else np.dtype(np.int64)
    return _model(ops, layer, ("wav", ops.dtype, ["batch", channels, "samples"]), ("codes", kind), step)


def decoder_graph(layer: Layer, dtype: str, width: int, quantizer: Quantizer | None, n_q: int) -> onnx.ModelProto:
    """A decoder step: codes [B, n_q, T], or latents [B, T, width], and states to wav [B, C, T * hop] and states.

    A frame of codes -1 stands for latents of zero, by which the end of a signal is brought out.
    """
    ops = GraphOps(dtype)

    def step(x: Value, states: States) -> Value:
        if quantizer is not None:
            codes = ops.node("Max", x, np.array(0, np.int64))
            x = quantizer.decode(ops, codes, n_q) * ops.present(x)
        return layer.step(ops, x, states)

    shape: list[int | str] = ["batch", "frames", width] if quantizer is None else ["batch", n_q, "frames"]
    kind = ops.dtype if quantizer is None else np.dtype(np.int64)
    return _model(ops, layer, ("codes", kind, shape), ("wav", ops.dtype), step)


def with_scores(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph that also gives out the numbers by which it chooses codes."""
    more = onnx.ModelProto()
    more.CopyFrom(model)
    for node in model.graph.node:
        if node.op_type in CHOICES:
            more.graph.output.append(helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, None))
    return more


def check(model: onnx.ModelProto) -> None:
    """Have onnx check a graph, shapes and types included."""
    onnx.checker.check_model(model, full_check=True)


def _model(ops: GraphOps, layer: Layer, source: Any, target: tuple[str, Any], step: Any) -> onnx.ModelProto:
    """Write what `step` does as a graph: inputs x and state_0, state_1, ...; outputs y and next_state_0, ..."""
    name, kind, shape = source
    element = helper.np_dtype_to_tensor_dtype
    states = States([Value(ops, f"state_{i}") for i in range(len(layer.memory))])
    result = step(Value(ops, name), states)
    outputs = [(target[0], result), *((f"next_state_{i}", value) for i, value in enumerate(states.after))]
    for output, value in outputs:
        ops.nodes.append(helper.make_node("Identity", [value.name], [output]))
    described = [helper.make_tensor_value_info(name, element(kind), shape)]
    described += [
        helper.make_tensor_value_info(f"state_{i}", element(ops.dtype), ["batch", *size])
        for i, size in enumerate(layer.memory)
    ]
    kinds = [target[1], *(ops.dtype for _ in states.after)]
    results = [
        helper.make_tensor_value_info(output, element(kind), [None] * 3)
        for (output, _), kind in zip(outputs, kinds, strict=True)
    ]
    graph = helper.make_graph(ops.nodes, "step", described, results, list(ops.initializers.values()))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
