"""What benchmarks/speed.py compares: our model at several settings, and other codecs at their published sizes."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from audiocodec import Codec, speed
from audiocodec.arrays import Array
from audiocodec.config.codec import CodecConfig, SEANetConfig
from audiocodec.config.quantizer import QuantizerConfig
from audiocodec.inference import InferenceCodec
from audiocodec.states import AnyCodec

MODEL = "speech-16k"
DAC_SIZE = CodecConfig(
    sample_rate=16000,
    network=SEANetConfig(strides=(2, 4, 5, 8), latent_dim=1024, base_channels=64, decoder_channels=96),
    quantizer=QuantizerConfig(n_q=12, codebook_size=1024, codebook_dim=8),
)


@dataclass(frozen=True)
class Contender:
    """A codec at one setting: ready to encode and decode `seconds` of audio."""

    parameters: int
    encode: Callable[[], Any]
    decode: Callable[[], Any]


def ours(codec: AnyCodec, seconds: float) -> Contender:
    """One of ours."""
    wav: Array = codec.as_wav(speed.signal(codec, seconds))
    codes: Array = codec.encode(wav)
    parameters = sum(math.prod(shape) for shape in weight_shapes(codec))
    return Contender(parameters, lambda: codec.encode(wav), lambda: codec.decode(codes))


def weight_shapes(codec: AnyCodec) -> Iterator[tuple[int, ...]]:
    """Of all that was learned."""
    if isinstance(codec, Codec):
        yield from (tuple(p.shape) for p in codec.parameters())
    else:
        yield from weight_shapes(Codec(codec.config))


def shipped(precision: torch.dtype, beam: int | None = None) -> Codec:
    """The shipped model with the encoder in `precision`, and another beam where given."""
    return Codec.from_pretrained(MODEL, precision=precision, beam=beam)


def onnx(beam: int | None = None) -> InferenceCodec:
    """The shipped model by ONNX Runtime, in float32."""
    return InferenceCodec.from_pretrained(MODEL, backend="onnx", precision="float32", beam=beam)


def dac_size(precision: torch.dtype = torch.float64) -> Codec:
    """A codec of DAC's size with random weights."""
    torch.manual_seed(0)
    return Codec(DAC_SIZE, "dac-size", precision=precision).eval()


def own_settings() -> dict[str, Callable[[], AnyCodec]]:
    """Label -> the shipped model at a setting, without those whose packages are not here."""
    settings: dict[str, Callable[[], AnyCodec]] = {
        f"ours, {MODEL}": lambda: shipped(torch.float64),
        f"ours, {MODEL}, beam 1": lambda: shipped(torch.float64, 1),
        f"ours, {MODEL}, float32": lambda: shipped(torch.float32),
        f"ours, {MODEL}, float32, beam 1": lambda: shipped(torch.float32, 1),
        f"ours, {MODEL}, NumPy": lambda: InferenceCodec.from_pretrained(MODEL),
    }
    if find_spec("onnxruntime"):
        settings |= {
            f"ours, {MODEL}, ONNX Runtime, float32": onnx,
            f"ours, {MODEL}, ONNX Runtime, float32, beam 1": lambda: onnx(1),
        }
    return settings


def huggingface(kind: str, seconds: float) -> Contender:
    """EnCodec 24 kHz at 6 kbit/s, Mimi with 8 codebooks, or DAC 16 kHz with its 12 codebooks."""
    import transformers

    transformers.logging.set_verbosity_error()
    match kind:
        case "encodec":
            network = transformers.EncodecModel(transformers.EncodecConfig())
        case "mimi":
            network = transformers.MimiModel(transformers.MimiConfig())
        case _:
            config = transformers.DacConfig(
                sampling_rate=16000,
                downsampling_ratios=[2, 4, 5, 8],
                upsampling_ratios=[8, 5, 4, 2],
                hop_length=320,
                n_codebooks=12,
            )
            network = transformers.DacModel(config)
    network = network.eval()
    wav = 0.1 * torch.randn(1, 1, int(seconds * network.config.sampling_rate))
    parameters = sum(p.numel() for p in network.parameters())

    def encode() -> Any:
        with torch.inference_mode():
            match kind:
                case "encodec":
                    return network.encode(wav, bandwidth=6.0)
                case "mimi":
                    return network.encode(wav, num_quantizers=8)
                case _:
                    return network.encode(wav)

    codes = encode()

    def decode() -> Any:
        with torch.inference_mode():
            match kind:
                case "encodec":
                    return network.decode(codes.audio_codes, codes.audio_scales)
                case _:
                    return network.decode(audio_codes=codes.audio_codes)

    return Contender(parameters, encode, decode)


def snac(seconds: float) -> Contender:
    """SNAC 24 kHz: the configuration of hubertsiuzdak/snac_24khz."""
    from snac import SNAC

    network = SNAC(
        sampling_rate=24000,
        encoder_dim=48,
        encoder_rates=[2, 4, 8, 8],
        decoder_dim=1024,
        decoder_rates=[8, 8, 4, 2],
        attn_window_size=None,
        codebook_size=4096,
        codebook_dim=8,
        vq_strides=[4, 2, 1],
        noise=True,
        depthwise=True,
    ).eval()
    wav = 0.1 * torch.randn(1, 1, int(seconds * 24000))
    parameters = sum(p.numel() for p in network.parameters())

    def encode() -> list[Tensor]:
        with torch.inference_mode():
            return network.encode(wav)

    codes = encode()

    def decode() -> Tensor:
        with torch.inference_mode():
            return network.decode(codes)

    return Contender(parameters, encode, decode)


def contenders(seconds: float) -> dict[str, Callable[[], Contender]]:
    """Label -> how to build it."""
    makers: dict[str, Callable[[], Contender]] = {
        name: lambda make=make: ours(make(), seconds)  # type: ignore[misc]
        for name, make in own_settings().items()
    }
    makers["ours, DAC's size"] = lambda: ours(dac_size(), seconds)
    makers |= {
        "EnCodec 24k, 8 codebooks": lambda: huggingface("encodec", seconds),
        "Mimi, 8 codebooks": lambda: huggingface("mimi", seconds),
        "DAC 16k, 12 codebooks": lambda: huggingface("dac", seconds),
        "SNAC 24k": lambda: snac(seconds),
    }
    return makers
