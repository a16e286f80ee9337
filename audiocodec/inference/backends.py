"""What computes a network: NumPy here, ONNX Runtime in onnx_backend.py, PyTorch in ../codec.py."""

from importlib.util import find_spec
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .layers import Layer, States
from .ops import ArrayOps
from .quantizer import Codes, Quantizer

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


class Encoder(Protocol):
    """An encoder with the search for codes behind it."""

    def init_state(self, batch_size: int) -> State:
        """The state before the first frame."""

    def encode(self, wav: Array, state: State, n_q: int) -> tuple[Codes, State]:
        """Whole frames [B, C, t * hop] after `state` -> codes [B, n_q, t] and the state after them."""


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


class ExactEncoder:
    """A network, and the search of NumPy behind it."""

    def __init__(self, network: Network, quantizer: Quantizer, dtype: str):
        self._network, self._quantizer, self._ops = network, quantizer, ArrayOps(dtype)

    def init_state(self, batch_size: int) -> State:
        """See Encoder."""
        return self._network.init_state(batch_size)

    def encode(self, wav: Array, state: State, n_q: int) -> tuple[Codes, State]:
        """See Encoder."""
        latents, state = self._network.step(wav, state)
        codes: Codes = self._quantizer.encode(self._ops, latents, n_q)
        return codes, state


def make_encoder(
    layer: Layer, quantizer: Quantizer, precision: Precision, backend: Backend, channels: int, hop_length: int
) -> Encoder:
    """Have an encoder and its search run by "numpy" or "onnx".

    Args:
        layer: the encoder, with weights in `precision`.
        quantizer: with codebooks in `precision`.
        precision: to compute in.
        backend: what runs it.
        channels: of the audio.
        hop_length: samples a frame.
    Raises:
        ConfigError: another backend, its packages are not installed, or it has no such precision.
    """
    if precision == "float64":
        return ExactEncoder(make_network(layer, precision, backend, channels, 0), quantizer, precision)
    if (backend, precision) != ("onnx", "float32"):
        raise ConfigError(f"precision {precision!r} with backend {backend!r}: 'float32' goes with 'onnx'")
    require_onnx("precision 'float32'", "onnx", "onnxruntime")
    from .onnx_backend import FusedEncoder

    return FusedEncoder(layer, channels, hop_length, quantizer)


def require_onnx(what: str, *packages: str) -> None:
    """Say what to install.

    Raises:
        ConfigError: one of the packages is missing.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ConfigError(f"{what} needs {' and '.join(missing)}: pip install 'audiocodec[onnx]'")
