"""A codec that needs no PyTorch: encode and decode on NumPy arrays, with the codes of `audiocodec.Codec`."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..config.codec import CodecConfig
from ..config.facts import BLOCK_FRAMES, CodecFacts
from ..errors import ModelMismatchError
from .backends import Array, Backend, Precision, State, make_encoder, make_network
from .files import ModelFiles
from .layers import Layer, Weights
from .ops import ArrayOps
from .quantizer import Codes, Quantizer
from .seanet import SEANetDecoder, SEANetEncoder
from .spectral import SpectralDecoder, SpectralEncoder

ENCODER_DTYPE, DECODER_DTYPE = "float64", "float32"  # why: see audiocodec.Codec


class InferenceCodec(CodecFacts):
    """What `audiocodec.Codec` computes, on NumPy arrays; loads in a fraction of the time and cannot be trained.

    Codes are those of `Codec`, for both encode in float64: sums in another order differ by 1e-16, and a tie would have
    to be closer than that to flip. Samples agree to 1e-5 of full scale.

    Args:
        files: a model's folder.
        backend: "numpy", or "onnx" for ONNX Runtime.
        precision: of the encoder. "float32" goes with ONNX Runtime and is the fastest (docs/results/speed.md). Its
            codes are the same for a stream, a file and any batch on one machine; some near-ties fall otherwise than in
            float64, and on another processor (docs/results/flips.md).
    Raises:
        ModelMismatchError: the weights do not fit the configuration.
        ConfigError: the backend is not installed, or has no such precision.
    """

    def __init__(self, files: ModelFiles, backend: Backend = "numpy", precision: Precision = "float64"):
        self.config, self.name, self.folder, self.backend = files.config, files.name, files.folder, backend
        self.weights_sha256, self.precision = files.weights_sha256, precision
        encoding, decoding = Weights(files.weights, precision), Weights(files.weights, DECODER_DTYPE)
        try:
            encoder, self.decoder = build_layers(self.config, encoding, decoding)
            search, self._lookup = (Quantizer(self.config.quantizer, w.at("quantizer")) for w in (encoding, decoding))
            width = self.config.network.latent_dim
            self._encoder = make_encoder(encoder, search, precision, backend, self.channels, self.hop_length)
            self._decoder = make_network(self.decoder, DECODER_DTYPE, backend, None, width)
            self.decode(self.encode(np.zeros((1, self.channels, self.hop_length))))
        except (KeyError, ValueError, IndexError) as error:
            reason = " ".join(str(error).split())
            raise ModelMismatchError(f"{self.folder}: the weights do not fit the configuration: {reason}") from error

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        backend: Backend = "numpy",
        beam: int | None = None,
        precision: Precision = "float64",
    ) -> Self:
        """Load a model: a shipped one ("speech-16k"), a folder, or a hub id; see `Codec.from_pretrained`."""
        files = ModelFiles.read(name, revision)
        return cls(replace(files, config=files.config.with_beam(beam)), backend, precision)

    @property
    def delay(self) -> int:
        """Algorithmic delay of a stream in samples: one frame to fill, and what the decoder lags."""
        return self.hop_length + self.decoder.delay

    def encode(self, wav: Any, n_q: int | None = None) -> Codes:
        """Turn audio into codes; as `Codec.encode`.

        Args:
            wav: [B, C, L] float in [-1, 1] at `sample_rate` Hz.
            n_q: how many codebooks to use, 1..self.n_q (default all).
        Returns:
            [B, n_q, ceil(L / hop_length)] int64.
        Raises:
            ShapeError: `wav` is not [B, channels, L].
            ConfigError: `n_q` is out of range.
        """
        wav = self.as_wav(wav)
        self.check_wav(wav)
        n_q, size = self.check_n_q(n_q), BLOCK_FRAMES * self.hop_length
        whole = np.pad(wav, ((0, 0), (0, 0), (0, -wav.shape[2] % self.hop_length)))
        state, codes = self.encoder_state(len(wav)), [np.zeros((len(wav), n_q, 0), np.int64)]
        for start in range(0, whole.shape[2], size):
            some, state = self.encode_frames(whole[..., start : start + size], state, n_q)
            codes.append(some)
        return np.concatenate(codes, axis=2)

    def decode(self, codes: Any, length: int | None = None) -> NDArray[np.float32]:
        """Turn codes back into audio; as `Codec.decode`.

        Args:
            codes: [B, K', T] with any prefix K' of the codebooks.
            length: samples wanted, at most T * hop_length (default all).
        Returns:
            [B, C, length] float32.
        Raises:
            ShapeError: `codes` has no such shape, holds an impossible code, or is too short for `length`.
        """
        codes = self.as_codes(codes)
        self.check_codes(codes)
        length = self.check_length(length, codes.shape[2])
        state, wavs = self.decoder_state(len(codes)), []
        for start in range(0, codes.shape[2], BLOCK_FRAMES):
            some, state = self.decode_frames(codes[..., start : start + BLOCK_FRAMES], state)
            wavs.append(some)
        wavs.append(self.drain(state))
        return np.concatenate(wavs, axis=2)[..., self.decoder.delay :][..., :length]

    # -- one step of a stream: as in Codec -----------------------------------------------------------------------------

    def encoder_state(self, batch_size: int) -> State:
        """State of `encode_frames` before the first sample."""
        return self._encoder.init_state(batch_size)

    def encode_frames(self, wav: Array, state: State, n_q: int) -> tuple[Codes, State]:
        """Encode whole frames [B, C, t * hop] after `state`: codes [B, n_q, t] and the state after them."""
        return self._encoder.encode(wav, state, n_q)

    def decoder_state(self, batch_size: int) -> State:
        """State of `decode_frames` before the first frame."""
        return self._decoder.init_state(batch_size)

    def decode_frames(self, codes: Codes, state: State) -> tuple[Array, State]:
        """Decode [B, K', t] after `state`: wav [B, C, t * hop], `decoder.delay` samples late, and the new state."""
        return self._decoder.step(self._lookup.decode(ArrayOps(DECODER_DTYPE), codes, codes.shape[1]), state)

    def decode_latents(self, latents: Array, state: State) -> tuple[Array, State]:
        """As `decode_frames`, from latents [B, D, t]: what measures the decoder."""
        return self._decoder.step(latents.transpose(0, 2, 1), state)

    def drain(self, state: State) -> Array:
        """Bring out the last `decoder.delay` samples after `state`: [B, C, delay]."""
        batch_size, frames = len(state[0]), self.decoder.delay // self.hop_length
        if frames == 0:
            return self.silence(batch_size, 0)
        return self._decoder.step(np.zeros((batch_size, frames, self.config.network.latent_dim), "f"), state)[0]

    # -- its kind of arrays: what streaming.py and compress ask of a codec ---------------------------------------------

    def silence(self, batch_size: int, n_samples: int) -> Array:
        """Zeros [B, C, n_samples]."""
        return np.zeros((batch_size, self.channels, n_samples), np.float32)

    def as_wav(self, wav: Any) -> Array:
        """Samples from any kind of array."""
        return np.asarray(wav, np.float32)

    def as_codes(self, codes: Any) -> Codes:
        """Codes from any kind of array."""
        return np.asarray(codes, np.int64)

    def to_numpy(self, array: Array) -> Array:
        """Nothing to do."""
        return array

    def from_numpy(self, array: Array) -> Array:
        """An array that can be written to."""
        return array.copy()

    @property
    def stream_id(self) -> str:
        """Which weights, settings and backend the states of its streams belong to."""
        kind = self.backend if self.precision == ENCODER_DTYPE else f"{self.backend}-{self.precision}"
        return f"{self.weights_sha256[:16]}-{self.config_sha256[:16]}-{kind}"

    def without_gradients(self) -> contextlib.AbstractContextManager[Any]:
        """Nothing to do: it cannot be trained."""
        return contextlib.nullcontext()

    def denormals_flushed(self) -> contextlib.AbstractContextManager[None]:
        """Nothing to do: in float64 and at these networks' levels there are none."""
        return contextlib.nullcontext()


def build_layers(config: CodecConfig, encoding: Weights, decoding: Weights) -> tuple[Layer, Any]:
    """The encoder and the decoder that `config` describes, each with its own precision of the same weights."""
    network = config.network
    if network.kind == "spectral":
        return SpectralEncoder(network, encoding.at("encoder")), SpectralDecoder(network, decoding.at("decoder"))
    return SEANetEncoder(network, encoding.at("encoder")), SEANetDecoder(network, decoding.at("decoder"))
