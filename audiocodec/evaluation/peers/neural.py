"""Neural codecs of others: EnCodec, DAC and Mimi by the package `transformers`, SNAC by `snac`.

Neither packages nor weights come with this project, and nothing is downloaded here: a model is a folder that an
environment variable names (AUDIOCODEC_ENCODEC, _DAC, _MIMI, _SNAC), or a hub id that lies in the local cache already.
All run whole files at once, as their authors do; bits are those of the codes, without container or entropy coding.
"""

import math
import os
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from ...metrics.base import Signal
from ..systems import Encoded, MissingError, System, kilo

KINDS = {  # kind -> (label, default hub id, class in transformers or snac)
    "encodec": ("EnCodec", "facebook/encodec_24khz", "EncodecModel"),
    "dac": ("DAC", "descript/dac_16khz", "DacModel"),
    "mimi": ("Mimi", "kyutai/mimi", "MimiModel"),
    "snac": ("SNAC", "hubertsiuzdak/snac_24khz", "SNAC"),
}


def default_model(kind: str) -> str:
    """Folder or hub id of a kind of codec: the environment's, else that of its authors."""
    return os.environ.get(f"AUDIOCODEC_{kind.upper()}", KINDS[kind][1])


@dataclass(frozen=True)
class Neural(System):
    """A neural codec at a nominal bitrate in bit/s, from which the number of codebooks follows.

    SNAC has one bitrate only and takes 0.
    """

    kind: str
    bitrate: int
    model: str

    @property
    def name(self) -> str:
        return f"{self.kind}_{kilo(self.bitrate)}" if self.bitrate else self.kind

    @property
    def family(self) -> str:  # type: ignore[override]
        return KINDS[self.kind][0]

    @property
    def sample_rate(self) -> int:  # type: ignore[override]
        return _load(self.kind, self.model)[1]

    def version(self) -> str:
        from importlib.metadata import version

        _load(self.kind, self.model)
        package = "snac" if self.kind == "snac" else "transformers"
        return f"{self.model} by {package} {version(package)}"

    def encode(self, signal: Signal) -> Encoded:
        import torch

        network, rate = _load(self.kind, self.model)
        wav = torch.from_numpy(signal.copy())[None, None]
        with torch.inference_mode():
            match self.kind:
                case "snac":
                    codes = network.encode(wav)
                    size = network.codebook_size
                    return Encoded((codes, len(signal)), sum(c.numel() for c in codes) * _bits(size))
                case "encodec":
                    codes, scales, *_ = network.encode(wav, bandwidth=self.bitrate / 1000, return_dict=False)
                    n_bits = codes.numel() * _bits(network.config.codebook_size)
                    return Encoded((codes, scales), n_bits + 32 * sum(scale is not None for scale in scales))
                case "dac":
                    n_q = self._codebooks(rate / network.config.hop_length, network.config)
                    codes = network.encode(wav, n_quantizers=n_q).audio_codes
                case _:
                    n_q = self._codebooks(network.config.frame_rate, network.config)
                    codes = network.encode(wav, num_quantizers=n_q).audio_codes
        return Encoded(codes, codes.numel() * _bits(network.config.codebook_size))

    def decode(self, encoded: Encoded) -> Signal:
        import torch

        network, _ = _load(self.kind, self.model)
        with torch.inference_mode():
            match self.kind:
                case "snac":
                    codes, length = encoded.payload
                    wav = network.decode(codes)[..., :length]
                case "encodec":
                    wav = network.decode(*encoded.payload, return_dict=False)[0]
                case "dac":
                    wav = network.decode(audio_codes=encoded.payload).audio_values
                case _:
                    wav = network.decode(encoded.payload).audio_values
        return wav.reshape(-1).float().numpy()

    def _codebooks(self, frame_rate: float, config: Any) -> int:
        """How many codebooks come nearest to the bitrate from below, one at least."""
        return max(1, int(self.bitrate / (frame_rate * _bits(config.codebook_size)) + 1e-6))


@cache
def _load(kind: str, model: str) -> tuple[Any, int]:
    """(network in eval mode on one thread, its sample rate in Hz), from disk only."""
    package = "snac" if kind == "snac" else "transformers"
    os.environ["HF_HUB_OFFLINE"] = "1"  # of this worker: a peer must not fetch weights behind the user's back
    try:
        module = import_module(package)
    except ImportError as error:
        raise MissingError(f"package {package} is not installed: pip install {package}") from error
    import torch

    torch.set_num_threads(1)
    try:
        network = getattr(module, KINDS[kind][2]).from_pretrained(model)
    except (OSError, ValueError) as error:
        hint = f"set AUDIOCODEC_{kind.upper()} to a folder with it"
        raise MissingError(f"weights {model!r} are not on this machine; {hint}") from error
    rate = network.sampling_rate if kind == "snac" else network.config.sampling_rate
    return network.eval(), int(rate)


def _bits(codebook_size: int) -> int:
    return math.ceil(math.log2(codebook_size))
