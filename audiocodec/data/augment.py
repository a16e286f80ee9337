"""Augmentation that a codec may learn from: every change makes another recording that could exist.

A codec has to give back what it is given, so the changed crop is both input and target. Changes that no recording has,
or whose undoing would be rewarded (clipping, masks in time and frequency, noise with a clean target), are not offered.
"""

import numpy as np
import soxr

from ..config.training import AugmentConfig

_MARGIN = 128  # samples read on both sides of a crop that is resampled, so that the filter has settled at its edges
_FADE_S = 0.005  # at the ends of a pause


def drawn_speed(config: AugmentConfig, rng: np.random.Generator) -> float:
    """The speed of one crop: 1.1 is a tenth faster, and higher in pitch."""
    low, high = config.speed
    return 1.0 if low == high == 1.0 else float(rng.uniform(low, high))


def samples_needed(length: int, speed: float) -> int:
    """Samples to read for `length` samples at another speed."""
    return length if speed == 1.0 else int(np.ceil(length * speed)) + 2 * _MARGIN


def at_speed(wav: np.ndarray, speed: float, length: int) -> np.ndarray:
    """Play [C, samples_needed(length, speed)] at another speed.

    Returns:
        [C, length]
    """
    if speed == 1.0:
        return wav
    played = soxr.resample(wav.T, speed, 1.0).T
    first = round(_MARGIN / speed)
    return np.ascontiguousarray(played[:, first : first + length])


def mixed(wav: np.ndarray, other: np.ndarray, level_db: float) -> np.ndarray:
    """Add `other` [C, L], brought to `level_db` below (negative) or above the level of `wav` [C, L]; silence stays."""
    power, other_power = float(np.square(wav).mean()), float(np.square(other).mean())
    if min(power, other_power) < 1e-10:
        return wav
    return wav + other * np.float32(np.sqrt(power / other_power) * 10 ** (level_db / 20))


def narrowed(wav: np.ndarray, bandwidth_hz: float, sample_rate: int) -> np.ndarray:
    """Take away what lies above `bandwidth_hz`, as a recording of twice that rate would have."""
    rate = 2 * bandwidth_hz
    if rate >= sample_rate:
        return wav
    there_and_back = soxr.resample(soxr.resample(wav.T, sample_rate, rate), rate, sample_rate).T
    out = np.zeros_like(wav)
    length = min(wav.shape[1], there_and_back.shape[1])  # rounding twice may cost a sample
    out[:, :length] = there_and_back[:, :length]
    return out


def paused(wav: np.ndarray, start: int, length: int, sample_rate: int) -> np.ndarray:
    """Digital silence from sample `start` on for `length` samples, with 5 ms of fade on both sides within them."""
    fade = min(int(_FADE_S * sample_rate), length // 2)
    down = np.linspace(1, 0, fade, dtype=np.float32)
    envelope = np.concatenate([down, np.zeros(length - 2 * fade, np.float32), down[::-1]])
    out = wav.copy()
    out[:, start : start + length] *= envelope
    return out


def within_full_scale(wav: np.ndarray) -> np.ndarray:
    """Lower a crop whose peak is above full scale to it: files hold nothing louder, and no decoder can give it back."""
    peak = float(np.abs(wav).max(initial=0.0))
    return wav / np.float32(peak) if peak > 1 else wav
