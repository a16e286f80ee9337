"""Alignment finds what was done to a signal, and says so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec.metrics.alignment import align, shift

RATE = 16000
noise = np.random.default_rng(0).normal(0, 0.1, 6000).astype(np.float32)


@settings(max_examples=30)
@given(delay=st.integers(-1500, 1500), extra=st.integers(-500, 500), gain=st.floats(0.05, 20))
def test_delay_length_and_level_are_found(delay, extra, gain):
    degraded = gain * shift(noise, -delay, len(noise) + extra)
    found = align(noise, degraded, RATE)
    assert (found.delay, found.length_difference, found.by) == (delay, extra, "waveform")
    assert len(found.signal) == len(noise)
    kept = slice(max(0, -delay), len(noise) - max(0, delay) + min(0, extra))
    inside = slice(1500, 4500)
    np.testing.assert_allclose(found.signal[inside], gain * noise[inside], rtol=1e-5)
    assert kept.start < kept.stop
    assert found.gain_db == pytest.approx(20 * np.log10(gain), abs=2.0)


def test_the_level_is_left_alone(speech):
    found = align(speech, 0.5 * speech, RATE)
    assert found.gain_db == pytest.approx(-6.02, abs=0.01) and found.correlation == pytest.approx(1.0)
    np.testing.assert_array_equal(found.signal, 0.5 * speech)


def test_a_vocoder_is_aligned_by_its_envelope(speech):
    """Another noise with the speech's envelope: no waveform in common, as with Codec 2 at 0.7 kbit/s."""
    step = 160
    level = np.sqrt(np.square(speech).reshape(-1, step).mean(axis=1)).repeat(step)
    vocoded = (level * np.random.default_rng(1).normal(size=len(speech))).astype(np.float32)
    found = align(speech, shift(vocoded, -800, len(speech) + 800), RATE)
    assert found.by == "envelope" and found.delay == pytest.approx(800, abs=64)


@pytest.mark.parametrize(
    "degraded", [np.zeros(6000), np.full(6000, np.nan), np.zeros(0)], ids=["silent", "nan", "empty"]
)
def test_what_cannot_be_aligned_is_only_brought_to_length(degraded):
    found = align(noise, degraded.astype(np.float32), RATE)
    assert (found.delay, found.by, len(found.signal)) == (0, "nothing", 6000)
    assert np.isnan(found.gain_db)


def test_shift_undoes_itself():
    np.testing.assert_array_equal(shift(shift(noise, -7, 6007), 7, 6000), noise)
