"""What a codec is: rates, channels, the kind and size of its networks, and its quantizer. No torch here."""

import hashlib
import json
from fractions import Fraction
from math import prod
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..errors import ConfigError
from .base import Frozen
from .quantizer import DECODING, QuantizerConfig

Positive = Annotated[int, Field(gt=0)]


class SpectralConfig(Frozen):
    """Networks at frame rate between a lapped complex transform and its inverse (networks/spectral.py)."""

    kind: Literal["spectral"] = "spectral"
    hop_length: Positive = Field(320, description="samples a frame; the transform's window is twice as long")
    latent_dim: Positive = Field(128, description="dimensions of the quantized vector")
    width: Positive = Field(256, description="channels of the ConvNeXt blocks")
    encoder_depth: Positive = Field(4, description="ConvNeXt blocks before the quantizer")
    decoder_depth: Positive = Field(6, description="ConvNeXt blocks after the quantizer")
    kernel_size: Positive = Field(7, description="frames seen by one block's depthwise convolution")
    expansion: Positive = Field(3, description="hidden channels of a block, in widths")
    compression: float = Field(0.5, gt=0, le=1, description="magnitudes are raised to this power inside the networks")
    scatter: float | None = Field(
        None, ge=0, lt=1, description="share of the bandwidth from which on the decoder scatters phases; None: nowhere"
    )
    scatter_bins: Positive = Field(16, description="bins scattered by the same angle, which keeps bursts together")


class SEANetConfig(Frozen):
    """Waveform convolutions with strides, the EnCodec and DAC family (networks/seanet.py)."""

    kind: Literal["seanet"] = "seanet"
    strides: tuple[Positive, ...] = Field((2, 4, 5, 8), min_length=1, description="down-sampling of each encoder block")
    latent_dim: Positive = Field(128, description="dimensions of the quantized vector")
    base_channels: Positive = Field(32, description="channels after the first convolution; doubled by every block")
    decoder_channels: Positive | None = Field(None, description="of the decoder's last block; None: as the encoder")
    kernel_size: Positive = Field(7, description="samples seen by the first, last and residual convolutions")
    dilations: tuple[Positive, ...] = Field((1, 3, 9), description="dilation of each residual unit of a block")
    activation: Literal["elu", "snake"] = "snake"

    @property
    def hop_length(self) -> int:
        """Samples a frame: the product of the strides."""
        return prod(self.strides)


NetworkConfig = Annotated[SpectralConfig | SEANetConfig, Field(discriminator="kind")]


class CodecConfig(Frozen):
    """Everything needed to build a codec; stored beside its weights as config.json."""

    sample_rate: Positive = Field(16000, description="Hz")
    channels: Positive = 1
    network: NetworkConfig = SpectralConfig()
    quantizer: QuantizerConfig = QuantizerConfig()

    @model_validator(mode="after")
    def _sizes_fit(self) -> "CodecConfig":
        if self.channels > 1 and self.network.kind == "spectral":
            raise ValueError("network.kind: spectral codes one channel (more are coded apart); seanet takes several")
        return self

    @property
    def hop_length(self) -> int:
        """Samples a frame."""
        return self.network.hop_length

    @property
    def frame_rate(self) -> Fraction:
        """Frames a second, exact, in Hz."""
        return Fraction(self.sample_rate, self.hop_length)

    def with_beam(self, beam: int | None) -> "CodecConfig":
        """The same codec that follows another number of paths when it encodes; None: as it is.

        Raises:
            ConfigError: below 1.
        """
        if beam is None:
            return self
        if beam < 1:
            raise ConfigError(f"beam={beam}: at least one path must be followed")
        return self.model_copy(update={"quantizer": self.quantizer.model_copy(update={"beam": beam})})

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of what decides how codes decode, as canonical JSON.

        Settings at their defaults and settings of encoding and training are left out, so that files stay readable when
        there are more settings, and when a model is told to encode with more effort.
        """
        tree = self.model_dump(mode="json", exclude_defaults=True, exclude={"quantizer"})
        tree["network"] = {"kind": self.network.kind} | self.network.model_dump(mode="json", exclude_defaults=True)
        tree["quantizer"] = self.quantizer.model_dump(mode="json", include=set(DECODING))
        return hashlib.sha256(json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def bitrate(self, n_q: int | None = None) -> float:
        """Nominal bit/s of the first `n_q` codebooks (default all), before any container or entropy coding."""
        return float(self.frame_rate) * (self.quantizer.n_q if n_q is None else n_q) * self.quantizer.bits
