"""From configuration to networks: one `match`, so a downloaded config can name nothing but what stands here."""

from ..config.codec import CodecConfig, SEANetConfig, SpectralConfig
from ..nn.stream import Delayed, Streamable
from .seanet import SEANetDecoder, SEANetEncoder
from .spectral import SpectralDecoder, SpectralEncoder


def build_networks(config: CodecConfig) -> tuple[Streamable, Delayed]:
    """Return (encoder, decoder) with fresh weights."""
    match config.network:
        case SpectralConfig() as network:
            return SpectralEncoder(network), SpectralDecoder(network)
        case SEANetConfig() as network:
            return SEANetEncoder(network, config.channels), SEANetDecoder(network, config.channels)
    raise TypeError(f"no networks for {config.network!r}")
