"""Networks run by ONNX Runtime, from graphs that are written when a model is loaded."""

from .backends import Array, State, initial_state
from .graph import decoder_graph, encoder_graph
from .layers import Layer
from .onnx_session import make_session


class OnnxNetwork:
    """An encoder or decoder in ONNX Runtime; as many threads as OMP_NUM_THREADS says, else one.

    Args:
        layer: the network.
        dtype: to compute in.
        channels: of the audio that an encoder takes; None: it is a decoder.
        width: of the latents that a decoder takes.
    """

    def __init__(self, layer: Layer, dtype: str, channels: int | None, width: int):
        self.layer, self.dtype = layer, dtype
        if channels is not None:
            model = encoder_graph(layer, dtype, channels, None, 0)
        else:
            model = decoder_graph(layer, dtype, width, None, 0)
        self._session = make_session(model.SerializeToString())
        self._names = [entry.name for entry in self._session.get_inputs()]

    def init_state(self, batch_size: int) -> State:
        """See Network."""
        return initial_state(self.layer, batch_size, self.dtype)

    def step(self, x: Array, state: State) -> tuple[Array, State]:
        """See Network."""
        inputs = dict(zip(self._names, (x.astype(self.dtype, copy=False), *state), strict=True))
        y, *after = self._session.run(None, inputs)
        return y, tuple(after)
