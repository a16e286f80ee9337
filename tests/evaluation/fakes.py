"""Systems whose faults are known, for tests of what an evaluation makes of them."""

import os
import signal
from dataclasses import dataclass, replace

import numpy as np

from audiocodec.evaluation.systems import Encoded, MissingError, System
from audiocodec.metrics.catalogue import METRICS


@dataclass(frozen=True)
class Rounding(System):
    """Keeps a few bits of every sample, late by `delay`; `fault` says what goes wrong and with which files."""

    bits: int = 6
    delay: int = 40
    fault: str = ""
    revision: str = "1"
    sample_rate: int = 16000
    family = "Rounding"
    counted = "bits of samples"

    @property
    def name(self):
        return f"rounding{self.bits}{self.fault}"

    def version(self):
        if self.fault == "missing":
            raise MissingError("no rounding on this machine")
        return self.revision

    def encode(self, signal):
        long = len(signal) > self.sample_rate  # the warm-up and the second file are shorter
        if self.fault == "raises" and long:
            raise RuntimeError("cannot round that")
        if self.fault == "crashes" and long:
            os.kill(os.getpid(), signal_number())
        if self.fault == "breaks si_sdr":
            METRICS["si_sdr"] = replace(METRICS["si_sdr"], function=die)
        scale = 2.0 ** (self.bits - 1)
        return Encoded(np.round(signal * scale) / scale, self.bits * len(signal))

    def decode(self, encoded):
        if self.fault == "silent":
            return np.zeros_like(encoded.payload)
        return np.concatenate([np.zeros(self.delay, np.float32), encoded.payload])


def signal_number():
    return signal.SIGSEGV


def die(reference, degraded, sample_rate):
    """A metric that kills its process."""
    os.kill(os.getpid(), signal_number())
    return 0.0
