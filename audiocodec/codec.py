"""The codec: encoder, quantizer, decoder; audio to codes and back, and the folder a codec is saved in."""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from .config.codec import CodecConfig
from .config.facts import BLOCK_FRAMES, CodecFacts
from .errors import ModelMismatchError
from .frozen import Frozen, freeze, versions
from .inference.files import read_config, weights_digest
from .networks import build_networks
from .nn.denormals import denormals_flushed
from .nn.stream import State, batch_size_of
from .pretrained import CONFIG_FILE, WEIGHTS_FILE, locate
from .quantizers import Quantized
from .quantizers.build import build
from .shapes import Codes, Wav

_stream_ids: WeakKeyDictionary[Frozen, str] = WeakKeyDictionary()  # of digests, which take longer than a state


@dataclass(frozen=True)
class Reconstruction:
    """What training sees of one pass through the codec."""

    wav: Tensor  # [B, C, L] decoded audio
    quantized: Quantized  # what the bottleneck did


class Codec(nn.Module, CodecFacts):
    """A neural audio codec: `encode` gives codes, `decode` gives audio, calling it gives both with gradients.

    Codes do not depend on the batch, on chunk sizes, on the number of threads, or on the processor: the encoder runs in
    float64 (float32 where the device has no float64), where rounding differs by 1e-16 and a tie would have to be closer
    than that to flip. Decoding runs in float32 and is equal to 1e-5 of full scale.

    Args:
        config: of everything.
        name: for messages and file headers.
        precision: of the encoder in inference. torch.float32 is about twice as fast on a CPU: codes then still do not
            depend on batch, chunks and threads, which is tried on the spot (frozen.py; float64 is taken where it does
            not hold), but for some frames in ten thousand they are others than in float64 or on another processor.
    """

    def __init__(self, config: CodecConfig, name: str = "unnamed", precision: torch.dtype = torch.float64):
        super().__init__()
        self.config = config
        self.name = name
        self.precision = precision
        self.encoder, self.decoder = build_networks(config)
        self.quantizer = build(config.quantizer, config.network.latent_dim)
        self.folder: Path | None = None  # where it was loaded from
        self._frozen: Frozen | None = None

    @property
    def delay(self) -> int:
        """Algorithmic delay of a stream in samples: one frame to fill, and what the decoder lags."""
        return self.hop_length + self.decoder.delay

    # -- audio to codes to audio ---------------------------------------------------------------------------------------

    def forward(self, wav: Wav, n_q: int | Tensor | None = None) -> Reconstruction:
        """Encode, quantize and decode with gradients, for training.

        Args:
            wav: [B, C, L] in [-1, 1] at `sample_rate` Hz.
            n_q: codebooks used: a number, or [B] int64 for another number per item; default all.
        Returns:
            The reconstruction [B, C, L] and what the quantizer did.
        Raises:
            ShapeError: `wav` is not [B, channels, L].
        """
        self.check_wav(wav)
        z = self.encoder(self._whole_frames(wav))
        quantized = self.quantizer(z, n_q)
        late = nn.functional.pad(quantized.z_q, (0, self.decoder.delay // self.hop_length))
        decoded = self.decoder(late)[..., self.decoder.delay :]
        return Reconstruction(decoded[..., : wav.shape[-1]], quantized)

    @torch.inference_mode()
    def encode(self, wav: Wav, n_q: int | None = None) -> Codes:
        """Turn audio into codes; the same codes whatever the batch, and as a stream gives.

        Args:
            wav: [B, C, L] float in [-1, 1] at `sample_rate` Hz; right-padded with zeros to a whole frame.
            n_q: how many codebooks to use, 1..self.n_q (default all); fewer codebooks, lower `bitrate`.
        Returns:
            [B, n_q, ceil(L / hop_length)] int64 in [0, codebook_size).
        Raises:
            ShapeError: `wav` is not [B, channels, L].
            ConfigError: `n_q` is out of range.
        """
        self.check_wav(wav)
        n_q = self.check_n_q(n_q)
        state, codes = self.encoder_state(len(wav)), []
        for block in self._whole_frames(wav).split(BLOCK_FRAMES * self.hop_length, dim=-1):
            if block.shape[-1]:
                some, state = self.encode_frames(block, state, n_q)
                codes.append(some)
        return torch.cat(codes, dim=-1) if codes else wav.new_zeros(len(wav), n_q, 0, dtype=torch.int64)

    @torch.inference_mode()
    def decode(self, codes: Codes, length: int | None = None) -> Wav:
        """Turn codes back into audio.

        Args:
            codes: [B, K', T] with any prefix K' of the codebooks.
            length: samples wanted, at most T * hop_length (default all); what encode padded is cut.
        Returns:
            [B, C, length] float32, sample i standing for sample i of the encoded audio.
        Raises:
            ShapeError: `codes` has no such shape, holds an impossible code, or is too short for `length`.
        """
        self.check_codes(codes)
        length = self.check_length(length, codes.shape[-1])
        state, wavs = self.decoder_state(len(codes)), []
        for block in codes.split(BLOCK_FRAMES, dim=-1):
            if block.shape[-1]:
                some, state = self.decode_frames(block, state)
                wavs.append(some)
        wavs.append(self.drain(state))
        return torch.cat(wavs, dim=-1)[..., self.decoder.delay :][..., :length]

    # -- one step of a stream: what encode, decode and streaming.py are made of ----------------------------------------

    def encoder_state(self, batch_size: int) -> State:
        """State of `encode_frames` before the first sample."""
        return self.frozen().encoder_state(batch_size)

    @torch.inference_mode()
    def encode_frames(self, wav: Tensor, state: State, n_q: int) -> tuple[Tensor, State]:
        """Encode whole frames [B, C, t * hop] after `state`: codes [B, n_q, t] and the state after them."""
        return self._present().encode(wav, state, n_q)

    def decoder_state(self, batch_size: int) -> State:
        """State of `decode_frames` before the first frame."""
        return self.frozen().decoder_state(batch_size)

    @torch.inference_mode()
    def decode_frames(self, codes: Tensor, state: State) -> tuple[Tensor, State]:
        """Decode [B, K', t] after `state`: wav [B, C, t * hop], `decoder.delay` samples late, and the new state."""
        frozen = self._present()
        return frozen.decode(frozen.latents(codes), state)

    @torch.inference_mode()
    def decode_latents(self, latents: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """As `decode_frames`, from latents [B, D, t] to wav as arrays: what measures the decoder."""
        frozen = self._present()
        wav, state = frozen.decode(torch.from_numpy(latents).to(frozen.device), state)
        return self.to_numpy(wav), state

    @torch.inference_mode()
    def drain(self, state: State) -> Tensor:
        """Bring out the last `decoder.delay` samples after `state`: [B, C, delay]."""
        frozen, batch_size = self._present(), batch_size_of(state)
        frames = self.decoder.delay // self.hop_length
        if frames == 0:
            return torch.zeros(batch_size, self.channels, 0, device=frozen.device)
        z = torch.zeros(batch_size, self.config.network.latent_dim, frames, device=frozen.device)
        return frozen.decode(z, state)[0]

    def frozen(self) -> Frozen:
        """The networks as they are now, in the form of inference; made again when weights or threads have changed."""
        settings = torch.get_num_threads(), self.precision, id(self.quantizer)
        version = settings, versions([*self.parameters(), *self.quantizer.buffers()])
        if self._frozen is None or self._frozen.version != version:
            with torch.inference_mode(False), torch.no_grad():
                parts = self.encoder, self.quantizer, self.decoder
                self._frozen = freeze(*parts, self.hop_length, self.precision, version)
        return self._frozen

    def _present(self) -> Frozen:
        """`frozen` without looking for changes: a stream looks for them where it begins, not in every frame."""
        return self._frozen or self.frozen()

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: what is made on demand stays behind."""
        return {**self.__dict__, "_frozen": None}

    # -- its kind of arrays: what streaming.py and compress ask of a codec ---------------------------------------------

    def silence(self, batch_size: int, n_samples: int) -> Tensor:
        """Zeros [B, C, n_samples]."""
        return next(self.parameters()).new_zeros(batch_size, self.channels, n_samples)

    def as_wav(self, wav: Any) -> Tensor:
        """Samples from any kind of array, where the codec is."""
        return torch.as_tensor(wav).detach().to(next(self.parameters()))

    def as_codes(self, codes: Any) -> Tensor:
        """Codes from any kind of array, where the codec is."""
        return torch.as_tensor(codes).to(next(self.parameters()).device, torch.int64)

    def to_numpy(self, tensor: Tensor) -> np.ndarray:
        """The same values on the CPU as an array."""
        array: np.ndarray = tensor.cpu().numpy()
        return array

    def from_numpy(self, array: np.ndarray) -> Tensor:
        """An array of a stream's state as a tensor where the codec is; its precision stays."""
        return torch.from_numpy(array.copy()).to(self.frozen().device)

    def without_gradients(self) -> contextlib.AbstractContextManager[Any]:
        """For blocks that handle its tensors without training it."""
        return torch.inference_mode()

    def denormals_flushed(self) -> contextlib.AbstractContextManager[None]:
        """For blocks that encode or decode: see nn/denormals.py."""
        return denormals_flushed()

    def _whole_frames(self, wav: Tensor) -> Tensor:
        return nn.functional.pad(wav, (0, -wav.shape[-1] % self.hop_length))

    @property
    def stream_id(self) -> str:
        """Which weights, settings and precision the states of its streams belong to."""
        frozen = self.frozen()
        if frozen not in _stream_ids:
            precision = str(frozen.precision).removeprefix("torch.")
            _stream_ids[frozen] = f"{self.weights_sha256[:16]}-{self.config_sha256[:16]}-{precision}"
        return _stream_ids[frozen]

    # -- identity, folders ---------------------------------------------------------------------------------------------

    @property
    def weights_sha256(self) -> str:
        """SHA-256 (hex) of all weights as float32: names, shapes, values; the same however they are stored."""
        return weights_digest({key: value.float().cpu().numpy() for key, value in self._weights().items()})

    def _weights(self) -> dict[str, Tensor]:
        return {key: value for key, value in self.state_dict().items() if value.is_floating_point()}

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype = torch.float32) -> Path:
        """Write config.json and model.safetensors.

        Args:
            folder: made where it does not exist; its last part becomes the model's name on loading.
            dtype: how weights are stored; float16 halves the file and rounds the weights.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.config.model_dump(mode="json"), indent=2) + "\n"
        (folder / CONFIG_FILE).write_text(text, encoding="utf-8")
        state = {k: (v.to(dtype) if v.is_floating_point() else v).contiguous() for k, v in self.state_dict().items()}
        (folder / WEIGHTS_FILE).write_bytes(safetensors.torch.save(state))
        return folder

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        device: str | torch.device = "cpu",
        precision: torch.dtype = torch.float64,
        beam: int | None = None,
    ) -> Self:
        """Load a codec, in eval mode.

        Args:
            name: a shipped model ("speech-16k"), a folder, or a hub id "owner/name".
            revision: branch, tag or commit of a hub id.
            device: where it shall run.
            precision: of the encoder, see Codec.
            beam: paths that encoding follows through the codebooks; None: as many as the model says. With 1 it is
                fastest; files and decoders do not know the difference.
        Raises:
            ConfigError: no such model, or its config.json is no codec configuration.
            ModelMismatchError: the weights do not fit the configuration.
        """
        folder = locate(name, revision)
        codec = cls(read_config(folder).with_beam(beam), Path(name).resolve().name, precision)
        try:
            state = safetensors.torch.load_file(folder / WEIGHTS_FILE)
            codec.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()}, strict=True)
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            reason = " ".join(str(error).split())
            raise ModelMismatchError(f"{folder / WEIGHTS_FILE}: does not fit {CONFIG_FILE}: {reason}") from error
        codec.folder = folder
        return codec.to(device).eval()
