"""A model as two ONNX files, one step of the encoder and one of the decoder, with explicit states: for any runtime."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .backends import Array, require_onnx
from .codec import DECODER_DTYPE, ENCODER_DTYPE, InferenceCodec, build_layers
from .files import ModelFiles
from .layers import Layer, Weights
from .quantizer import Quantizer

ENCODER_FILE, DECODER_FILE, FACTS_FILE = "encoder.onnx", "decoder.onnx", "onnx.json"


@dataclass(frozen=True)
class Exported:
    """What onnx.json says: all that a program needs beside the two graphs.

    Args:
        model: name.
        sample_rate: Hz.
        channels: C of wav [B, C, samples].
        hop_length: samples a frame; the encoder takes whole frames.
        delay: samples of the decoder's output that belong before the signal; frames of codes -1 at the end
            bring out as many more.
        n_q: codebooks of codes [B, n_q, frames].
        codebook_size: codes are 0 to this, exclusive.
        dtype: of the encoder's samples and states; the decoder's are float32.
        encoder_states, decoder_states: shapes without the batch, of state_0, state_1, ...; zeros begin a stream, and
            next_state_i of one step is state_i of the next.
        weights_sha256, config_sha256: identity of the model, as .anc files name it.
    """

    model: str
    sample_rate: int
    channels: int
    hop_length: int
    delay: int
    n_q: int
    codebook_size: int
    dtype: str
    encoder_states: list[list[int]]
    decoder_states: list[list[int]]
    weights_sha256: str
    config_sha256: str


def export(name: str | Path, folder: str | Path, *, n_q: int | None = None, exact: bool = False) -> Exported:
    """Write encoder.onnx, decoder.onnx and onnx.json.

    The graphs are made from the weights as they are stored; quantizer and lookup are in them, so that they take and
    give codes. Any number of whole frames and any batch goes through them. A frame of codes -1 tells the decoder
    that the signal has ended.

    Args:
        name: a shipped model, a folder or a hub id.
        folder: made where it does not exist.
        n_q: codebooks; default all.
        exact: the encoder computes in float64 and gives the codes of this package. Otherwise in float32: half as large
            and faster, and some near-ties fall the other way (`parity` counts them); both decode alike.
    Raises:
        ConfigError: no such model or number of codebooks, or the package onnx is missing.
    """
    require_onnx("export", "onnx")
    from . import graph

    files = ModelFiles.read(name)
    n_q = files.check_n_q(n_q)
    dtype = ENCODER_DTYPE if exact else "float32"
    encoding, decoding = (Weights(files.weights, kind) for kind in (dtype, DECODER_DTYPE))
    encoder, decoder = build_layers(files.config, encoding, decoding)
    searching, looking = (Quantizer(files.config.quantizer, w.at("quantizer")) for w in (encoding, decoding))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    facts = _facts(files, encoder, decoder, n_q, dtype)
    width = files.config.network.latent_dim
    graphs = {
        ENCODER_FILE: graph.encoder_graph(encoder, dtype, files.channels, searching, n_q),
        DECODER_FILE: graph.decoder_graph(decoder, DECODER_DTYPE, width, looking, n_q),
    }
    for file, model in graphs.items():
        graph.check(model)
        (folder / file).write_bytes(model.SerializeToString())
    (folder / FACTS_FILE).write_text(json.dumps(asdict(facts), indent=2) + "\n", encoding="utf-8")
    return facts


def _facts(files: ModelFiles, encoder: Layer, decoder: Any, n_q: int, dtype: str) -> Exported:
    return Exported(
        model=files.name,
        sample_rate=files.sample_rate,
        channels=files.channels,
        hop_length=files.hop_length,
        delay=decoder.delay,
        n_q=n_q,
        codebook_size=files.codebook_size,
        dtype=dtype,
        encoder_states=[list(shape) for shape in encoder.memory],
        decoder_states=[list(shape) for shape in decoder.memory],
        weights_sha256=files.weights_sha256,
        config_sha256=files.config_sha256,
    )


class ExportedCodec:
    """Runs what `export` wrote, as a program without this package would: an example, and the judge of `parity`.

    Args:
        folder: of an export.
    Raises:
        ConfigError: onnxruntime is missing, or the folder is no export.
    """

    def __init__(self, folder: str | Path):
        require_onnx("running an export", "onnxruntime")
        from .onnx_session import make_session

        folder = Path(folder)
        try:
            self.facts = Exported(**json.loads((folder / FACTS_FILE).read_text(encoding="utf-8")))
            self.encoder, self.decoder = (
                make_session((folder / file).read_bytes()) for file in (ENCODER_FILE, DECODER_FILE)
            )
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(f"{folder}: not an export of `audiocodec export`: {error}") from error

    def encode(self, wav: Array, frames: int = 50) -> NDArray[np.int64]:
        """Codes [B, n_q, T] of wav [B, C, L], so many frames at a time."""
        hop, dtype = self.facts.hop_length, self.facts.dtype
        wav = np.pad(wav, ((0, 0), (0, 0), (0, -wav.shape[2] % hop))).astype(dtype)
        states = [np.zeros((len(wav), *shape), dtype) for shape in self.facts.encoder_states]
        return self._run(self.encoder, "wav", wav, frames * hop, states)

    def decode(self, codes: NDArray[np.int64], length: int, frames: int = 50) -> NDArray[np.float32]:
        """wav [B, C, length] of codes [B, n_q, T]; frames of -1 behind them bring out what is held."""
        late = self.facts.delay
        codes = np.pad(codes, ((0, 0), (0, 0), (0, -(-late // self.facts.hop_length))), constant_values=-1)
        states = [np.zeros((len(codes), *shape), np.float32) for shape in self.facts.decoder_states]
        return self._run(self.decoder, "codes", codes, frames, states)[..., late : late + length]

    def _run(self, session: Any, name: str, x: Array, size: int, states: list[Array]) -> Array:
        parts = []
        for start in range(0, x.shape[2], size):
            inputs = {f"state_{i}": state for i, state in enumerate(states)}
            part, *states = session.run(None, {name: x[:, :, start : start + size], **inputs})
            parts.append(part)
        return np.concatenate(parts, axis=2)


def parity(folder: str | Path, codec: Any, wav: Array) -> tuple[int, int, float]:
    """Compare an export with a codec.

    Args:
        folder: of the export.
        codec: an InferenceCodec or a Codec of the same model.
        wav: [B, C, L] float32.
    Returns:
        Frames, frames in which any code differs, and the largest difference of samples decoded from the same codes.
    """
    exported = ExportedCodec(folder)
    expected = codec.to_numpy(codec.encode(codec.as_wav(wav), exported.facts.n_q))
    codes = exported.encode(wav)
    decoded = codec.to_numpy(codec.decode(codec.as_codes(expected), wav.shape[2]))
    difference = np.abs(exported.decode(expected, wav.shape[2]) - decoded)
    return expected.shape[0] * expected.shape[2], int((codes != expected).any(axis=1).sum()), float(difference.max())


def self_test(folder: str | Path, name: str | Path) -> tuple[int, int, float]:
    """`parity` with this package's own codec on ten seconds of a sweep in noise."""
    codec = InferenceCodec.from_pretrained(name)
    t = np.arange(10 * codec.sample_rate) / codec.sample_rate
    wav = 0.2 * np.sin(2 * np.pi * (100 * t + 150 * t**2)) * np.sin(2 * np.pi * 1.5 * t) ** 2
    wav = wav + 0.01 * np.random.default_rng(0).standard_normal(len(t))
    return parity(folder, codec, np.broadcast_to(wav.astype(np.float32), (1, codec.channels, len(t))))
