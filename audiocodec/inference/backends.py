"""What computes a network: NumPy here, ONNX Runtime in onnx_backend.py, PyTorch in ../codec.py."""

from importlib.util import find_spec
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .layers import Layer, States
from .ops import ArrayOps

Array = NDArray[Any]
State = tuple[Array, ...]
Backend = Literal["auto", "numpy", "onnx", "torch"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
Precision = Literal["float64", "float32"]  # of an encoder


class Network(Protocol):
    """An encoder or a decoder, ready to run: state in, state out."""

    def init_state(self, batch_size: int) -> State:
        """The state before the first frame."""

    def step(self, x: Array, state: State) -> tuple[Array, State]:
        """The next frames, and the state after them."""


def initial_state(layer: Layer, batch_size: int, dtype: str) -> State:
    """Zeros of the shapes that `layer` remembers."""
    return tuple(np.zeros((batch_size, frames, width), dtype) for frames, width in layer.memory)


class ArrayNetwork:
    """Runs on NumPy; as many threads as its BLAS takes (OPENBLAS_NUM_THREADS)."""

    def __init__(self, layer: Layer, dtype: str):
        self.layer, self.dtype, self.ops = layer, dtype, ArrayOps(dtype)

    def init_state(self, batch_size: int) -> State:
        """See Network."""
        return initial_state(self.layer, batch_size, self.dtype)

    def step(self, x: Array, state: State) -> tuple[Array, State]:
        """See Network."""
        states = States(state)
        y = self.layer.step(self.ops, x.astype(self.dtype, copy=False), states)
        return y, tuple(states.after)


def make_network(layer: Layer, dtype: str, backend: Backend, channels: int | None, width: int) -> Network:
    """Have `layer` run by "numpy" or "onnx".

    Args:
        layer: an encoder or a decoder.
        dtype: to compute in.
        backend: what runs it.
        channels: of the audio that an encoder takes; None: it is a decoder.
        width: of the latents.
    Raises:
        ConfigError: another backend, or its packages are not installed.
    """
    if backend == "numpy":
        return ArrayNetwork(layer, dtype)
    if backend != "onnx":
        raise ConfigError(f"backend {backend!r} is not one of: {', '.join(BACKENDS)}")
    require_onnx("backend 'onnx'", "onnx", "onnxruntime")
    from .onnx_backend import OnnxNetwork

    return OnnxNetwork(layer, dtype, channels, width)


def require_onnx(what: str, *packages: str) -> None:
    """Say what to install.

    Raises:
        ConfigError: one of the packages is missing.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ConfigError(f"{what} needs {' and '.join(missing)}: pip install 'audiocodec[onnx]'")
