"""What is under test: a system is one codec at one setting, ours or a peer's, behind two calls, encode and decode.

Systems are small frozen values: they travel to worker processes by pickle, name themselves, and load libraries or
weights only when they are first used.
"""

import resource
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import CodecError
from ..metrics.base import Signal


class MissingError(CodecError):
    """A library, package or weights file that a system needs is not on this machine; the message says which."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a system sends: its own payload and how many bits it takes."""

    payload: Any
    n_bits: int


@dataclass(frozen=True, slots=True)
class Coded:
    """One file through one system.

    `signal` is [L'] float32 at the system's rate, not yet aligned. Times are CPU seconds of this process and the
    programs that it started: steady on a busy machine, unlike wall time.
    """

    signal: Signal
    n_bits: int
    encode_s: float
    decode_s: float


class System(ABC):
    """One codec at one setting. Subclasses are frozen dataclasses whose fields are plain values."""

    sample_rate: int  # Hz, of the signals that encode takes and decode gives
    family: str  # label of the curve that this setting is a point of
    counted: str = "codec packets only, no container"  # what n_bits holds

    @property
    @abstractmethod
    def name(self) -> str:
        """Unique short name, family and setting: `opus_9k`."""

    @abstractmethod
    def version(self) -> str:
        """Name and version of the library, program or weights that would run; part of a result's identity.

        Raises:
            MissingError: it is not on this machine.
        """

    @abstractmethod
    def encode(self, signal: Signal) -> Encoded:
        """Code [L] float32 at `sample_rate`."""

    @abstractmethod
    def decode(self, encoded: Encoded) -> Signal:
        """Give back about L samples (codec delay and padding included) as [L'] float32."""

    def code(self, signal: Signal) -> Coded:
        """Encode and decode one signal, timed apart.

        Args:
            signal: [L] float32 at `sample_rate`.
        Returns:
            Coded: decoded samples, bits and CPU seconds.
        """
        start = _cpu_seconds()
        encoded = self.encode(signal)
        middle = _cpu_seconds()
        decoded = self.decode(encoded)
        end = _cpu_seconds()
        return Coded(np.asarray(decoded, np.float32), encoded.n_bits, middle - start, end - middle)


def to_pcm16(signal: Signal) -> np.ndarray:
    """[L] float32 in [-1, 1] to int16 by rounding, clipped."""
    return np.clip(np.round(signal * 32768.0), -32768, 32767).astype(np.int16)


def from_pcm16(pcm: np.ndarray) -> Signal:
    """[L] int16 to float32 in [-1, 1)."""
    return np.asarray(pcm, np.float32) / np.float32(32768.0)


def kilo(bitrate: float) -> str:
    """Bit/s as systems are named: 6000 -> '6k', 6600 -> '6.6k'."""
    return f"{bitrate / 1000:g}k"


def _cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
