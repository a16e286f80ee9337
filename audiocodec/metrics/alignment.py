"""Bringing a decoded signal over its reference: delay by cross-correlation, length by cropping, level only reported.

A codec's delay is not its loss of quality, so it is removed before any metric; what was removed is part of the result.
The level is not touched: a codec that changes it should be seen to do so.
"""

from dataclasses import dataclass

import numpy as np

from .base import Signal, as_signal

MAX_DELAY_S = 0.125
TRUSTED_CORRELATION = 0.35  # below it the waveform is not kept (vocoders), and envelopes are compared instead
ENVELOPE_STEP_S = 0.001


@dataclass(frozen=True, slots=True)
class Aligned:
    """A decoded signal of its reference's length, and what it took to get there."""

    signal: Signal  # [L] float32, L that of the reference
    delay: int  # samples that the codec came late, removed; negative: early
    length_difference: int  # decoded minus reference samples, before anything was cut
    gain_db: float  # level of the decoded signal over the reference's, RMS; not removed; NaN where one is silent
    correlation: float  # of waveforms at that delay, -1 to 1; NaN where one is silent
    by: str  # what the delay was found from: "waveform", "envelope" or "nothing" (a silent signal)


def align(reference: Signal, degraded: Signal, sample_rate: int, max_delay_s: float = MAX_DELAY_S) -> Aligned:
    """Find the delay of `degraded`, remove it, and cut or pad with zeros to the reference's length.

    Args:
        reference: [L] float32.
        degraded: [L'] float32, any length.
        sample_rate: of both, Hz.
        max_delay_s: delays are sought from minus to plus this many seconds.
    Returns:
        Aligned.
    Raises:
        ShapeError: a signal is not one-dimensional.
    """
    reference, degraded = as_signal(reference, "reference"), as_signal(degraded, "degraded")
    delay, by = _find_delay(reference, degraded, sample_rate, max_delay_s)
    shifted = shift(degraded, delay, len(reference))
    return Aligned(
        signal=shifted,
        delay=delay,
        length_difference=len(degraded) - len(reference),
        gain_db=_gain_db(reference, shifted),
        correlation=_correlation(reference, shifted),
        by=by,
    )


def shift(signal: Signal, delay: int, length: int) -> Signal:
    """`signal` made earlier by `delay` samples (later if negative), cut or zero-padded to `length`."""
    moved = signal[delay:] if delay >= 0 else np.concatenate([np.zeros(-delay, np.float32), signal])
    return np.pad(moved[:length], (0, max(0, length - len(moved))))


def _find_delay(reference: Signal, degraded: Signal, sample_rate: int, max_delay_s: float) -> tuple[int, str]:
    """Delay in samples from waveforms; from envelopes where the codec does not keep the waveform."""
    usable = all(len(x) and np.isfinite(x).all() and x.any() for x in (reference, degraded))
    if not usable:
        return 0, "nothing"
    limit = int(max_delay_s * sample_rate)
    delay = best_lag(reference, degraded, limit)
    if abs(_correlation(reference, shift(degraded, delay, len(reference)))) >= TRUSTED_CORRELATION:
        return delay, "waveform"
    step = max(1, round(ENVELOPE_STEP_S * sample_rate))
    envelopes = [_envelope(x, step) for x in (reference, degraded)]
    return step * best_lag(envelopes[0], envelopes[1], limit // step), "envelope"


def best_lag(reference: Signal, degraded: Signal, limit: int) -> int:
    """Lag in [-limit, limit] at which the cross-correlation is highest; positive where `degraded` is late."""
    size = 1 << int(np.ceil(np.log2(len(reference) + len(degraded))))
    spectrum = np.fft.rfft(degraded, size) * np.conj(np.fft.rfft(reference, size))
    correlation = np.fft.irfft(spectrum, size)
    lags = np.arange(-min(limit, size // 2), min(limit, size // 2 - 1) + 1)
    return int(lags[np.argmax(correlation[lags])])


def _envelope(signal: Signal, step: int) -> Signal:
    """RMS over blocks of `step` samples, smoothed over 16 blocks, mean removed."""
    blocks = signal[: len(signal) // step * step].reshape(-1, step)
    level = np.sqrt(np.square(blocks, dtype=np.float64).mean(axis=1))
    smooth = np.convolve(level, np.hanning(18)[1:-1], mode="same")
    return (smooth - smooth.mean()).astype(np.float32) if len(smooth) else np.zeros(1, np.float32)


def _correlation(reference: Signal, degraded: Signal) -> float:
    r, d = reference.astype(np.float64), degraded.astype(np.float64)
    energy = float(np.sqrt((r @ r) * (d @ d)))
    return float(r @ d) / energy if energy > 0 else float("nan")


def _gain_db(reference: Signal, degraded: Signal) -> float:
    r, d = (float(np.square(x, dtype=np.float64).sum()) for x in (reference, degraded))
    return 10 * float(np.log10(d / r)) if r > 0 and d > 0 else float("nan")
