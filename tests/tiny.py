"""What many tests share: codecs of a few thousand parameters, and a signal with tones, noise and silence."""

import math

import torch

from audiocodec.codec import Codec
from audiocodec.config.codec import CodecConfig, SEANetConfig, SpectralConfig
from audiocodec.config.quantizer import QuantizerConfig

TINY = {
    "spectral": SpectralConfig(
        hop_length=320, latent_dim=8, width=16, encoder_depth=1, decoder_depth=1, kernel_size=3, scatter=0.25
    ),
    "seanet": SEANetConfig(strides=(4, 8, 10), latent_dim=8, base_channels=2, kernel_size=3, dilations=(1, 3)),
}


def make_tiny_codec(kind: str = "spectral", method: str = "diveq", seed: int = 0) -> Codec:
    """A mono 16 kHz codec, hop 320, four codebooks of 16, with random weights and codebooks from data."""
    torch.manual_seed(seed)
    quantizer = QuantizerConfig(method=method, n_q=4, codebook_size=16)
    codec = Codec(CodecConfig(sample_rate=16000, network=TINY[kind], quantizer=quantizer), name=f"tiny-{kind}")
    with torch.no_grad():
        codec.quantizer.init_from_data(codec.encoder(make_wav(seconds=4.0)))
    return codec.eval()


def make_wav(seconds: float = 1.0, batch: int = 1, sample_rate: int = 16000, seed: int = 0) -> torch.Tensor:
    """[batch, 1, L]: a rising chirp with noise, another one per item, with a silent stretch."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.arange(int(seconds * sample_rate)) / sample_rate
    start = 100 + 300 * torch.rand(batch, 1, 1, generator=generator)
    wav = 0.3 * torch.sin(2 * math.pi * (start * t + 400 * t.square()))
    wav = wav + 0.03 * torch.randn(batch, 1, len(t), generator=generator)
    return wav * (torch.sin(2 * math.pi * 1.5 * t) > -0.7)
