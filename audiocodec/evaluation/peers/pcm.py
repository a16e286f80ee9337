"""The original itself as 16-bit PCM: the ceiling of every metric, in the same table."""

from dataclasses import dataclass

from ...metrics.base import Signal
from ..systems import Encoded, System, from_pcm16, to_pcm16


@dataclass(frozen=True)
class Pcm(System):
    """16-bit samples, nothing coded."""

    sample_rate: int = 16000
    family = "16-bit PCM"
    counted = "samples only"

    @property
    def name(self) -> str:
        return "pcm16"

    def version(self) -> str:
        return "16-bit rounding"

    def encode(self, signal: Signal) -> Encoded:
        data = to_pcm16(signal)
        return Encoded(data, 16 * len(data))

    def decode(self, encoded: Encoded) -> Signal:
        return from_pcm16(encoded.payload)
