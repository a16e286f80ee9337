"""Streams: push any number of samples or frames, get what is complete; the codes and audio are those of the whole file.

What a stream remembers is a value: `session.state` can be copied, kept, sent to another process (`to_bytes`,
`from_bytes`) and put back. Streams that begin and end at different times share a batch in pool.py.
The codec may be a `Codec`, whose streams give tensors, or an `InferenceCodec`, whose streams give NumPy arrays; both
take either. No torch here, unless the codec brings it.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .arrays import Array, joined, mixed
from .errors import ShapeError
from .states import AnyCodec, StreamState


@dataclass(frozen=True)
class EncoderState(StreamState):
    """What a StreamingEncoder remembers."""

    rest: Array  # [B, C, < hop] samples that do not fill a frame yet
    layers: Any


@dataclass(frozen=True)
class DecoderState(StreamState):
    """What a StreamingDecoder remembers."""

    early: int  # samples still to come out that lie before the start of the signal
    layers: Any


class StreamingEncoder:
    """Turns a stream of samples into a stream of codes, for `batch_size` streams that move together.

    `codec.encode(wav)` equals all `push` results and `flush` put together, bit for bit, for any cutting of `wav`.
    """

    def __init__(self, codec: AnyCodec, batch_size: int = 1, n_q: int | None = None):
        """Begin.

        Args:
            codec: must not be trained further while the stream runs.
            batch_size: streams side by side.
            n_q: codebooks to use (default all).
        """
        self.codec, self.batch_size, self.n_q = codec, batch_size, codec.check_n_q(n_q)
        self.state = self._fresh()

    def _fresh(self) -> EncoderState:
        return EncoderState(self.codec.silence(self.batch_size, 0), self.codec.encoder_state(self.batch_size))

    def push(self, wav: Array) -> Array:
        """Take the next samples.

        Args:
            wav: [batch_size, C, any number] in [-1, 1] at the codec's rate; zero samples are fine.
        Returns:
            Codes [batch_size, n_q, t] int64 of the t >= 0 frames that are complete now.
        Raises:
            ShapeError: another batch size or channel count.
        """
        expected = self.state.rest.shape[:2]
        if wav.ndim != 3 or wav.shape[:2] != expected:
            raise ShapeError(
                f"pushed wav of shape {list(wav.shape)}; this stream takes [{expected[0]}, {expected[1]}, any]"
            )
        wav = joined([self.state.rest, self.codec.as_wav(wav)])
        whole = wav.shape[-1] // self.codec.hop_length * self.codec.hop_length
        layers = self.state.layers
        if whole:
            codes, layers = self.codec.encode_frames(wav[..., :whole], layers, self.n_q)
        else:
            codes = self.codec.as_codes(np.zeros((self.batch_size, self.n_q, 0), np.int64))
        # A copy: the rest of a frame shall not hold on to the chunk that it ended.
        self.state = EncoderState(joined([wav[..., whole:]]), layers)
        return codes

    def flush(self) -> Array:
        """End the stream: codes of the last, zero-padded frame, if one is begun. Afterwards a new stream starts."""
        missing = -self.state.rest.shape[-1] % self.codec.hop_length
        codes = self.push(self.codec.silence(self.batch_size, missing))
        self.state = self._fresh()
        return codes

    def reset(self, mask: Array | None = None) -> None:
        """Start anew, all streams or those where `mask` [batch_size] is true.

        Raises:
            ShapeError: a part is reset while a frame is half full: the streams of a batch share their frames.
        """
        if mask is None:
            self.state = self._fresh()
            return
        if self.state.rest.shape[-1]:
            raise ShapeError(
                f"reset of single streams needs whole frames; {self.state.rest.shape[-1]} samples are pending "
                "(in a pool streams are not tied together)"
            )
        self.state = EncoderState(self.state.rest, mixed(mask, self._fresh().layers, self.state.layers))


class StreamingDecoder:
    """Turns a stream of codes into a stream of samples, for `batch_size` streams that move together.

    The concatenation of all `push` results and `flush` is `codec.decode(codes)` to 1e-5 of full scale.
    """

    def __init__(self, codec: AnyCodec, batch_size: int = 1):
        self.codec, self.batch_size = codec, batch_size
        self.state = self._fresh()

    @property
    def device(self) -> Any:
        """Where it computes, of a codec with tensors."""
        return self.codec.silence(1, 0).device

    def _fresh(self) -> DecoderState:
        return DecoderState(self.codec.decoder.delay, self.codec.decoder_state(self.batch_size))

    def push(self, codes: Array) -> Array:
        """Take the next frames.

        Args:
            codes: [batch_size, K', t] with t >= 0; K' may change from push to push.
        Returns:
            wav [batch_size, C, t * hop_length] float32; at the start of a stream less by the decoder's delay.
        Raises:
            ShapeError: another batch size, too many codebooks, or an impossible code.
        """
        if codes.ndim == 3 and len(codes) != self.batch_size:
            raise ShapeError(f"pushed codes of shape {list(codes.shape)}; this stream takes [{self.batch_size}, K, t]")
        self.codec.check_codes(codes)
        if codes.shape[-1] == 0:
            return self.codec.silence(self.batch_size, 0)
        frames: Array = self.codec.as_codes(codes)
        wav, layers = self.codec.decode_frames(frames, self.state.layers)
        return self._after(wav, layers)

    def _after(self, wav: Array, layers: Any) -> Array:
        early = min(self.state.early, wav.shape[-1])
        self.state = replace(self.state, early=self.state.early - early, layers=layers)
        return wav[..., early:]

    def flush(self) -> Array:
        """End the stream: its last samples [batch_size, C, <= delay]. Afterwards a new stream starts."""
        wav = self._after(self.codec.drain(self.state.layers), self.state.layers)
        self.state = self._fresh()
        return wav

    def reset(self, mask: Array | None = None) -> None:
        """Start anew, all streams or those where `mask` [batch_size] is true.

        A stream reset alone keeps its place in the batch: its new signal comes out `decoder.delay` samples late.
        """
        if mask is None:
            self.state = self._fresh()
        else:
            self.state = replace(self.state, layers=mixed(mask, self._fresh().layers, self.state.layers))


_LONGEST_MEMORY = 2048  # frames; a network that remembers longer than this may remember for ever


def decoder_memory(codec: AnyCodec) -> int | None:
    """How many frames a decoder remembers: output is right when decoding began so many frames before.

    Found by decoding a frame that is not a number, and waiting until the output is one again: through convolutions that
    spreads as far as the network sees, whatever the weights are.

    Args:
        codec: any.
    Returns:
        Frames; None where the memory has no end (recurrence), or lasts beyond 2048 frames.
    """
    latents = np.full((1, codec.config.network.latent_dim, 1), np.nan, np.float32)
    state: Any = codec.decoder_state(1)
    last = n_frames = 0
    while n_frames <= _LONGEST_MEMORY:
        wav, state = codec.decode_latents(latents, state)
        bad = np.flatnonzero(~np.isfinite(wav[0]).all(axis=0))
        if not len(bad):
            return last
        last = n_frames + int(bad[-1]) // codec.hop_length
        n_frames += latents.shape[2]
        latents = np.zeros((1, codec.config.network.latent_dim, 32), np.float32)
    return None
