"""Networks run by ONNX Runtime, from graphs that are written when a model is loaded."""

import numpy as np
from onnxruntime import InferenceSession

from .backends import Array, State, initial_state
from .graph import decoder_graph, encoder_graph
from .layers import Layer
from .onnx_session import make_session
from .quantizer import Codes, Quantizer


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


class LiveEncoder:
    """Encoder and search in one float32 graph, which sees one frame of one stream at a time and nothing else.

    Sums in float32 depend on how much is summed in one call, so here every call is alike: that makes the codes of a
    stream those of a whole file and of any batch, and a single frame as fast as it gets.

    Args:
        layer: the encoder, with weights in float32.
        channels: of the audio.
        hop_length: samples a frame.
        quantizer: searches, with codebooks in float32.
    """

    DTYPE = "float32"

    def __init__(self, layer: Layer, channels: int, hop_length: int, quantizer: Quantizer):
        self.layer, self.channels, self.hop_length, self.quantizer = layer, channels, hop_length, quantizer
        # By number of codebooks, for the last ones sway the search; with the names of the inputs.
        self._sessions: dict[int, tuple[InferenceSession, list[str]]] = {}

    def init_state(self, batch_size: int) -> State:
        """See Network."""
        return initial_state(self.layer, batch_size, self.DTYPE)

    def encode(self, wav: Array, state: State, n_q: int) -> tuple[Codes, State]:
        """Whole frames [B, C, t * hop] after `state` -> codes [B, n_q, t] and the state after them."""
        wav = np.ascontiguousarray(wav, self.DTYPE)
        frames = range(0, wav.shape[2], self.hop_length)
        codes = np.empty((len(wav), n_q, len(frames)), np.int64)
        after = [np.empty_like(part) for part in state]
        session, names = self._session(n_q)
        for item in range(len(wav)):
            parts = [part[item : item + 1] for part in state]
            for t, start in enumerate(frames):
                frame = wav[item : item + 1, :, start : start + self.hop_length]
                found, *parts = session.run(None, dict(zip(names, (frame, *parts), strict=True)))
                codes[item, :, t : t + 1] = found[0]
            for whole, part in zip(after, parts, strict=True):
                whole[item] = part[0]
        return codes, tuple(after)

    def _session(self, n_q: int) -> tuple[InferenceSession, list[str]]:
        if n_q not in self._sessions:
            model = encoder_graph(self.layer, self.DTYPE, self.channels, self.quantizer, n_q)
            session = make_session(model.SerializeToString())
            self._sessions[n_q] = session, [entry.name for entry in session.get_inputs()]
        return self._sessions[n_q]
