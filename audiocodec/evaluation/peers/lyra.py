"""Lyra 2 (SoundStream) frame by frame from its three TFLite files, by the package `ai-edge-litert`.

The weights (Apache-2.0, of the repository google/lyra, folder `lyra/model_coeffs`) are not part of this project: give
their folder by AUDIOCODEC_LYRA or `--lyra-weights`. 16 kHz, 20 ms frames of 64 features, a residual quantizer of 46
stages of 4 bits; 16, 30 or 46 of them are sent for 3.2, 6 and 9.2 kbit/s.
"""

import hashlib
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...metrics.base import Signal
from ..systems import Encoded, MissingError, System, kilo

PARTS = ("soundstream_encoder", "quantizer", "lyragan")
HOP, STAGES, BITS_PER_STAGE = 320, 46, 4
NOT_SENT = -1  # index that marks a stage the decoder does not get
BITRATES = (3200, 6000, 9200)


def default_folder() -> str:
    """Folder of the weights as the environment gives it."""
    return os.environ.get("AUDIOCODEC_LYRA", "")


@dataclass(frozen=True)
class Lyra(System):
    """Lyra 2 at 3200, 6000 or 9200 bit/s, with its weights in `folder`."""

    bitrate: int = 3200
    folder: str = field(default_factory=default_folder)
    sample_rate: int = 16000
    family = "Lyra 2"

    @property
    def name(self) -> str:
        return f"lyra_{kilo(self.bitrate)}"

    def version(self) -> str:
        if not self.folder:
            raise MissingError("no folder with Lyra's TFLite weights; set AUDIOCODEC_LYRA or give --lyra-weights")
        _networks(self.folder)
        digest = hashlib.sha256(b"".join((Path(self.folder) / f"{part}.tflite").read_bytes() for part in PARTS))
        return f"Lyra 2 weights sha256 {digest.hexdigest()[:12]}"

    def encode(self, signal: Signal) -> Encoded:
        encoder, _, quantize, _ = _networks(self.folder)
        encoder.reset_all_variables()
        stages = np.array(self.bitrate // (50 * BITS_PER_STAGE), np.int32)
        frames = np.pad(signal, (0, -len(signal) % HOP)).astype(np.float32).reshape(-1, 1, HOP)
        codes = [quantize(input_frames=_run(encoder, x), num_quantizers=stages)["output_0"] for x in frames]
        sent = np.stack(codes).reshape(len(frames), -1)[:, : int(stages)]
        return Encoded(sent, BITS_PER_STAGE * sent.size)

    def decode(self, encoded: Encoded) -> Signal:
        _, decoder, _, dequantize = _networks(self.folder)
        decoder.reset_all_variables()
        codes = np.full((len(encoded.payload), STAGES, 1, 1), NOT_SENT, np.int32)
        codes[:, : encoded.payload.shape[1], 0, 0] = encoded.payload
        return np.concatenate([_run(decoder, dequantize(encoding_indices=c)["output_0"])[0] for c in codes])


@cache
def _networks(folder: str) -> tuple[Any, Any, Any, Any]:
    """Encoder and decoder interpreters (they keep state between frames) and the quantizer's two functions."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise MissingError("package ai-edge-litert is not installed: pip install ai-edge-litert") from error
    files = [Path(folder) / f"{part}.tflite" for part in PARTS]
    if absent := [file.name for file in files if not file.is_file()]:
        raise MissingError(f"{folder} lacks {', '.join(absent)} of google/lyra")
    encoder, quantizer, decoder = (Interpreter(str(file), num_threads=1) for file in files)
    encoder.allocate_tensors()
    decoder.allocate_tensors()
    return encoder, decoder, quantizer.get_signature_runner("encode"), quantizer.get_signature_runner("decode")


def _run(network: Any, x: np.ndarray) -> np.ndarray:
    network.set_tensor(network.get_input_details()[0]["index"], x)
    network.invoke()
    return network.get_tensor(network.get_output_details()[0]["index"])
