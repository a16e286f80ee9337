"""Seconds to frames and back, exactly: frame rates are fractions, and a frame is [t, t + 1) / frame rate."""

import math
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

import numpy as np

from ..errors import ConfigError

Seconds = float | int | str | Decimal | Fraction


def exact(seconds: Seconds) -> Fraction:
    """A time as a fraction. A float is taken for the decimal number it is printed as: 0.3 is 3/10.

    Raises:
        ConfigError: not a finite number.
    """
    try:
        return Fraction(str(float(seconds))) if isinstance(seconds, float) else Fraction(seconds)
    except (ValueError, OverflowError, TypeError) as error:
        raise ConfigError(f"time {seconds!r}: expected a finite number of seconds") from error


def frame_at(seconds: Seconds, frame_rate: Fraction) -> int:
    """The frame during which a moment falls; a moment between two frames belongs to the later one.

    Args:
        seconds: from the beginning of the item.
        frame_rate: Hz, as in the store's header.
    """
    return math.floor(exact(seconds) * frame_rate)


def seconds_at(frame: int, frame_rate: Fraction) -> Fraction:
    """When a frame begins, in seconds. `frame_at(seconds_at(n, rate), rate) == n`."""
    return Fraction(frame) / frame_rate


def covering_frames(start_s: Seconds, end_s: Seconds, frame_rate: Fraction) -> range:
    """The fewest frames that hold all of a stretch of time.

    Args:
        start_s, end_s: seconds from the beginning of the item.
        frame_rate: Hz.
    Returns:
        Frames; none where the stretch is empty.
    Raises:
        ConfigError: it ends before it begins.
    """
    start, end = exact(start_s), exact(end_s)
    if end < start:
        raise ConfigError(f"a stretch from {start_s} s to {end_s} s ends before it begins")
    if start == end:
        return range(math.floor(start * frame_rate), math.floor(start * frame_rate))
    return range(math.floor(start * frame_rate), math.ceil(end * frame_rate))


def inner_frames(start_s: Seconds, end_s: Seconds, frame_rate: Fraction) -> range:
    """The frames whose middle is in [start_s, end_s): stretches that touch share no frame and leave none out.

    Args, Raises: as `covering_frames`.
    """
    start, end = exact(start_s), exact(end_s)
    if end < start:
        raise ConfigError(f"a stretch from {start_s} s to {end_s} s ends before it begins")
    half = Fraction(1, 2)
    return range(math.ceil(start * frame_rate - half), math.ceil(end * frame_rate - half))


def frames_of_samples(samples: int, hop_length: int) -> int:
    """Frames that hold `samples` samples: ceil(samples / hop_length)."""
    return -(-samples // hop_length)


def samples_of_frames(frames: range, hop_length: int, samples: int) -> range:
    """The samples that stand for some frames of an item of `samples` samples: the last frame may be cut.

    Args:
        frames: of step 1.
        hop_length: samples a frame.
        samples: of the item, at the codec's rate.
    """
    return range(min(frames.start * hop_length, samples), min(frames.stop * hop_length, samples))


def frame_labels(
    segments: Iterable[tuple[Seconds, Seconds, int]], frames: int, frame_rate: Fraction, nothing: int = -1
) -> np.ndarray:
    """One label a frame from segments in time, such as words, phones or speakers.

    Args:
        segments: (start in s, end in s, label); a frame gets the label of the segment that its middle is in, the last
            one's where several overlap.
        frames: of the item.
        frame_rate: Hz.
        nothing: label of frames in no segment.
    Returns:
        int64 [frames].
    """
    labels = np.full(frames, nothing, dtype=np.int64)
    for start_s, end_s, label in segments:
        inside = inner_frames(start_s, end_s, frame_rate)
        labels[max(inside.start, 0) : max(inside.stop, 0)] = label
    return labels
