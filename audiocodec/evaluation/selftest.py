"""Do the metrics do what they promise? Identity, order under known damage, order of a codec's rising bitrates.

    python -m audiocodec.evaluation.selftest speech.wav [--metrics core]

prints a table and ends with exit code 1 where a promise is broken. Any clean speech of a few seconds will do.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import soxr

from ..errors import CodecError
from ..metrics.base import Metric, Signal
from ..metrics.catalogue import choose
from .measure import code, load
from .peers.opus import Opus
from .systems import MissingError

IDENTITY = {  # score of a signal against itself, and how near it must come
    "pesq_wb": (4.644, 0.001),
    "pesq_nb": (4.549, 0.001),
    "stoi": (1.0, 1e-6),
    "estoi": (1.0, 1e-6),
    "visqol": (4.2, 0.8),  # its lattice has no fixed ceiling; see metrics/visqol.py
    "visqol_poly": (5.0, 1e-6),
    "si_sdr": (100.0, 1e-6),
    "speaker_cosine": (1.0, 1e-4),
}
SNR_DB = (40, 30, 20, 10, 0)
LOW_PASS_HZ = (7000, 5000, 3000, 2000)
OPUS_BITRATES = (24000, 16000, 12000, 9000)  # bit/s; at 6000 it changes to narrow band
NOT_ORDERED = {  # damage -> metrics that make no such promise
    "noise": {"visqol", "word_error_rate"},  # a lattice is not monotone, words survive most things
    "low-pass": {"visqol", "word_error_rate", "speaker_cosine", "distillmos", "pesq_nb"},  # a telephone has 3.4 kHz
    "Opus": {"visqol", "word_error_rate", "speaker_cosine", "distillmos", "mfcc_distance"},  # smooth spectra, as Opus's
}


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of one metric, and the scores that keep or break it."""

    metric: str
    promise: str
    scores: tuple[float, ...]
    kept: bool


def run(speech: Signal, sample_rate: int, metrics: Sequence[Metric]) -> list[Check]:
    """Check metrics on a recording.

    Args:
        speech: [L] float32, clean, a few seconds.
        sample_rate: Hz, 16000 or more.
        metrics: those to check.
    Returns:
        Checks; those with Opus only where libopus is on this machine.
    """
    series = {"noise": noisy(speech, SNR_DB), "low-pass": [low_pass(speech, sample_rate, f) for f in LOW_PASS_HZ]}
    try:
        Opus().version()
        series["Opus"] = [code(speech, sample_rate, Opus(rate))[0].signal for rate in OPUS_BITRATES]
    except MissingError:
        pass
    checks = []
    for metric in metrics:
        if metric.name in IDENTITY or metric.better == "lower":
            score = metric(speech, speech, sample_rate)
            target, tolerance = IDENTITY.get(metric.name, (0.0, 1e-9))
            checks.append(Check(metric.name, f"identity scores {target:g}", (score,), abs(score - target) <= tolerance))
        for damage, signals in series.items():
            if metric.name not in NOT_ORDERED[damage]:
                scores = tuple(metric(speech, signal, sample_rate) for signal in signals)
                checks.append(Check(metric.name, f"more {damage} is worse", scores, falls(scores, metric)))
    return checks


def falls(scores: Sequence[float], metric: Metric) -> bool:
    """Whether scores go from better to worse: none better than the one before by over a hundredth of the way."""
    sign = 1 if metric.better == "higher" else -1
    way = sign * (scores[0] - scores[-1])
    return way > 0 and all(sign * (worse - better) < 0.01 * way for better, worse in pairwise(scores))


def noisy(speech: Signal, snr_db: Sequence[float], seed: int = 0) -> list[Signal]:
    """`speech` with the same white noise at each signal-to-noise ratio."""
    noise = np.random.default_rng(seed).normal(size=len(speech))
    noise *= np.sqrt(np.square(speech, dtype=np.float64).mean())
    return [(speech + 10 ** (-ratio / 20) * noise).astype(np.float32) for ratio in snr_db]


def low_pass(speech: Signal, sample_rate: int, cutoff_hz: float) -> Signal:
    """`speech` without what lies above `cutoff_hz`, through soxr at twice that rate and back."""
    narrow = soxr.resample(speech, sample_rate, 2 * cutoff_hz, quality="VHQ")
    wide = np.asarray(soxr.resample(narrow, 2 * cutoff_hz, sample_rate, quality="VHQ"), np.float32)[: len(speech)]
    return np.pad(wide, (0, len(speech) - len(wide)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: see the head of this file."""
    parser = argparse.ArgumentParser(description="Check that the metrics keep their promises.")
    parser.add_argument("recording", help="a few seconds of clean speech")
    parser.add_argument("--metrics", default="core", help="names or groups, comma-separated")
    options = parser.parse_args(arguments)
    try:
        metrics = [metric for metric in choose(options.metrics) if not metric.missing()]
        checks = run(load(options.recording, 16000), 16000, metrics)
    except CodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for check in checks:
        scores = "  ".join(f"{score:.3f}" for score in check.scores)
        print(f"{'ok  ' if check.kept else 'FAIL'}  {check.metric:22s} {check.promise:24s} {scores}")
    broken = sum(not check.kept for check in checks)
    print(f"{len(checks)} promises, {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
