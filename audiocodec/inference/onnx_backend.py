"""Networks run by ONNX Runtime, from graphs that are written when a model is loaded."""

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto

from .alike import frames_come_out_alike
from .backends import Array, State, initial_state
from .graph import decoder_graph, encoder_graph, with_scores
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
        self._step = _Step(model)

    def init_state(self, batch_size: int) -> State:
        """See Network."""
        return initial_state(self.layer, batch_size, self.dtype)

    def step(self, x: Array, state: State) -> tuple[Array, State]:
        """See Network."""
        (y, *after), _ = self._step(x.astype(self.dtype, copy=False), state)
        return y, tuple(after)


class FusedEncoder:
    """Encoder and search in one float32 graph: whole files, live streams and batches of them, as fast as it gets.

    Codes of a stream are those of the whole file and of any batch. Whether frames come out alike in any company is
    tried when there first is company; where they do not, each is computed alone, which is slower and always alike.

    Args:
        layer: the encoder, with weights in float32.
        channels: of the audio.
        hop_length: samples a frame.
        quantizer: searches, with codebooks in float32.
    """

    DTYPE = "float32"

    def __init__(self, layer: Layer, channels: int, hop_length: int, quantizer: Quantizer):
        self.layer, self.channels, self.hop_length, self.quantizer = layer, channels, hop_length, quantizer
        self._steps: dict[int, _Step] = {}  # by number of codebooks, for the last ones sway the search
        self._alike: dict[int, bool] = {}

    def init_state(self, batch_size: int) -> State:
        """See Network."""
        return initial_state(self.layer, batch_size, self.DTYPE)

    def encode(self, wav: Array, state: State, n_q: int) -> tuple[Codes, State]:
        """Whole frames [B, C, t * hop] after `state` -> codes [B, n_q, t] and the state after them."""
        wav = np.ascontiguousarray(wav, self.DTYPE)
        if n_q not in self._steps:
            self._steps[n_q] = _Step(self._graph(n_q))
        step = self._steps[n_q]
        if (len(wav), wav.shape[2]) == (1, self.hop_length) or self.alike(n_q):
            (codes, *after), _ = step(wav, state)
            return codes, tuple(after)
        return self._one_by_one(step, wav, state, n_q)

    def alike(self, n_q: int) -> bool:
        """Whether frames come out alike in any company, with this build of ONNX Runtime on this machine."""
        if n_q not in self._alike:
            step = _Step(with_scores(self._graph(n_q)))

            def scores(wav: Array, state: State) -> tuple[Array, State]:
                (codes, *after), chosen_by = step(wav, state)
                rows = [x.reshape(len(wav), codes.shape[2], -1) for x in chosen_by]
                return np.concatenate([codes.transpose(0, 2, 1), *rows], axis=2), tuple(after)

            self._alike[n_q] = frames_come_out_alike(self.init_state, scores, self.channels, self.hop_length)
        return self._alike[n_q]

    def _one_by_one(self, step: "_Step", wav: Array, state: State, n_q: int) -> tuple[Codes, State]:
        frames = range(0, wav.shape[2], self.hop_length)
        codes = np.empty((len(wav), n_q, len(frames)), np.int64)
        after = [np.empty_like(part) for part in state]
        for item in range(len(wav)):
            parts = [part[item : item + 1] for part in state]
            for t, start in enumerate(frames):
                (found, *parts), _ = step(wav[item : item + 1, :, start : start + self.hop_length], parts)
                codes[item, :, t : t + 1] = found[0]
            for whole, part in zip(after, parts, strict=True):
                whole[item] = part[0]
        return codes, tuple(after)

    def _graph(self, n_q: int) -> ModelProto:
        return encoder_graph(self.layer, self.DTYPE, self.channels, self.quantizer, n_q)


class _Step:
    """A graph to be called: x and states -> y with the states after, and whatever else the graph gives out."""

    def __init__(self, model: ModelProto):
        self._session = make_session(model.SerializeToString())
        self._names = [entry.name for entry in self._session.get_inputs()]

    def __call__(self, x: Array, state: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        out = self._session.run(None, dict(zip(self._names, (x, *state), strict=True)))
        return out[: 1 + len(state)], out[1 + len(state) :]
