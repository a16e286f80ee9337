"""Times and frames: exact, without gap or overlap."""

import itertools
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocodec.errors import ConfigError
from audiocodec.tokens.timing import (
    covering_frames,
    exact,
    frame_at,
    frame_labels,
    frames_of_samples,
    inner_frames,
    samples_of_frames,
    seconds_at,
)

rates = st.builds(Fraction, st.integers(1, 48000), st.integers(1, 2048))
times = st.fractions(0, 10**5, max_denominator=10**6)


@given(rates, st.integers(0, 10**9))
def test_a_frame_begins_in_itself(rate, frame):
    assert frame_at(seconds_at(frame, rate), rate) == frame


@given(rates, times)
def test_a_moment_lies_in_its_frame(rate, seconds):
    frame = frame_at(seconds, rate)
    assert seconds_at(frame, rate) <= seconds < seconds_at(frame + 1, rate)


@given(rates, times, times)
def test_covering_frames_are_the_fewest_that_cover(rate, a, b):
    start, end = min(a, b), max(a, b)
    frames = covering_frames(start, end, rate)
    if start == end:
        assert not frames
        return
    assert seconds_at(frames.start, rate) <= start and end <= seconds_at(frames.stop, rate)
    assert seconds_at(frames.start + 1, rate) > start and seconds_at(frames.stop - 1, rate) < end


@given(rates, st.lists(times, min_size=2, max_size=8))
def test_segments_that_touch_share_the_frames_between_them(rate, bounds):
    bounds = sorted(bounds)
    parts = [inner_frames(a, b, rate) for a, b in itertools.pairwise(bounds)]
    assert parts[0].start == inner_frames(bounds[0], bounds[-1], rate).start
    for before, after in itertools.pairwise(parts):
        assert before.stop == after.start
    assert parts[-1].stop == inner_frames(bounds[0], bounds[-1], rate).stop


@given(st.integers(0, 10**9), st.integers(1, 4096))
def test_frames_hold_their_samples(samples, hop):
    frames = frames_of_samples(samples, hop)
    assert samples_of_frames(range(frames), hop, samples) == range(samples)
    assert frames * hop >= samples > (frames - 1) * hop or frames == samples == 0


def test_decimals_mean_what_they_say():
    """0.29 * 100 is 28.999... in floating point; 44.1 kHz at 512 samples a frame is no decimal at all."""
    assert frame_at(0.29, Fraction(100)) == 29
    assert exact(0.1) == exact("0.1") == exact(Decimal("0.1")) == Fraction(1, 10)
    assert frame_at(3600, Fraction(44100, 512)) == 310078
    assert covering_frames(0.3, 0.6, Fraction(10)) == range(3, 6)


def test_labels_of_frames():
    labels = frame_labels([(0.0, 0.1, 7), (0.1, 0.25, 8)], 7, Fraction(20))
    assert labels.tolist() == [7, 7, 8, 8, 8, -1, -1]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "soon"])
def test_what_is_no_time_is_refused(bad):
    with pytest.raises(ConfigError, match="finite"):
        exact(bad)
    with pytest.raises(ConfigError, match="ends before"):
        covering_frames(2, 1, Fraction(50))
