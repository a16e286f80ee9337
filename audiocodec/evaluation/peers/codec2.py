"""Codec 2, a vocoder for 8 kHz speech, through the package `pycodec2`."""

from dataclasses import dataclass

import numpy as np

from ...metrics.base import Signal
from ..systems import Encoded, MissingError, System, from_pcm16, kilo, to_pcm16
from .clib import padded_frames

BITRATES = (700, 1200, 1300, 1400, 1600, 2400, 3200)  # bit/s


@dataclass(frozen=True)
class Codec2(System):
    """Codec 2 at one of its bitrates in bit/s. It keeps no waveform: SI-SDR says nothing about it."""

    bitrate: int = 3200
    sample_rate: int = 8000
    family = "Codec 2"

    @property
    def name(self) -> str:
        return f"codec2_{kilo(self.bitrate)}"

    def version(self) -> str:
        from importlib.metadata import version

        self._new()
        return f"pycodec2 {version('pycodec2')}"

    def encode(self, signal: Signal) -> Encoded:
        codec = self._new()
        frames = padded_frames(to_pcm16(signal), codec.samples_per_frame(), tail=2 * codec.samples_per_frame())
        packets = [codec.encode(frame) for frame in frames]
        return Encoded(packets, len(packets) * codec.bits_per_frame())

    def decode(self, encoded: Encoded) -> Signal:
        codec = self._new()
        return from_pcm16(np.concatenate([codec.decode(packet) for packet in encoded.payload]))

    def _new(self):  # type: ignore[no-untyped-def]  # the package has no types
        try:
            import pycodec2
        except ImportError as error:
            raise MissingError("package pycodec2 is not installed: pip install pycodec2") from error
        return pycodec2.Codec2(self.bitrate)
