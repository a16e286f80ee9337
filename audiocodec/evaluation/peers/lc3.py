"""LC3 (Bluetooth SIG), 10 ms frames, through the package `lc3py`."""

from dataclasses import dataclass

import numpy as np

from ...metrics.base import Signal
from ..systems import Encoded, MissingError, System, from_pcm16, kilo, to_pcm16
from .clib import padded_frames

FRAME_US = 10_000


@dataclass(frozen=True)
class Lc3(System):
    """LC3 at a bitrate in bit/s, 16000 and up."""

    bitrate: int = 16000
    sample_rate: int = 16000
    family = "LC3"

    @property
    def name(self) -> str:
        return f"lc3_{kilo(self.bitrate)}"

    def version(self) -> str:
        from importlib.metadata import version

        _package()
        return f"lc3py {version('lc3py')}"

    def encode(self, signal: Signal) -> Encoded:
        encoder = _package().Encoder(FRAME_US, self.sample_rate)
        frame, n_bytes = encoder.get_frame_samples(), self.bitrate * FRAME_US // 8_000_000
        frames = padded_frames(to_pcm16(signal), frame, tail=2 * frame)
        packets = [encoder.encode(block.tobytes(), n_bytes, bit_depth=16) for block in frames]
        return Encoded(packets, 8 * sum(map(len, packets)))

    def decode(self, encoded: Encoded) -> Signal:
        decoder = _package().Decoder(FRAME_US, self.sample_rate)
        pcm = b"".join(decoder.decode(packet, bit_depth=16) for packet in encoded.payload)
        return from_pcm16(np.frombuffer(pcm, np.int16))


def _package():  # type: ignore[no-untyped-def]  # the package has no types
    try:
        import lc3
    except ImportError as error:
        raise MissingError("package lc3py is not installed: pip install lc3py") from error
    return lc3
