"""Each change does what its setting says, and nothing when it is off."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocodec.config.loader import validate
from audiocodec.config.training import DataConfig
from audiocodec.data import augment
from audiocodec.data.dataset import CropDataset
from audiocodec.data.manifest import Entry
from audiocodec.errors import ConfigError

RATE = 16000


class Tones:
    """Recording i is a sine of (i + 1) * 1000 Hz, one second long."""

    sample_rate = RATE

    def __init__(self, count=1, amplitude=0.5):
        self.lengths = np.full(count, RATE)
        self.entries = [Entry(f"{i}.wav", 1.0, RATE) for i in range(count)]
        self.amplitude = amplitude

    def crop(self, index, start, length):
        place = start + np.arange(length)
        wav = self.amplitude * np.sin(2 * np.pi * 1000 * (index + 1) * place / RATE)
        return np.where(place < RATE, wav, 0.0).astype(np.float32)[None]


def crops(corpus=None, count=40, seed=0, **settings):
    config = validate(DataConfig, {"polarity": False, "augment": settings}, "test")
    return CropDataset(corpus or Tones(), config, 4000, seed).batch(0, range(count)).wav[:, 0]


def loudest_hz(wav):
    spectrum = np.abs(np.fft.rfft(wav * np.hanning(len(wav)), 16 * len(wav)))
    return np.argmax(spectrum) * RATE / (16 * len(wav))


def test_speed_moves_the_pitch_and_nothing_else():
    wavs = crops(speed=[0.9, 1.2])
    pitches = np.array([loudest_hz(wav) for wav in wavs])
    assert 895 < pitches.min() < 950 and 1150 < pitches.max() < 1205
    levels = np.sqrt(np.square(wavs).mean(axis=1))
    np.testing.assert_allclose(levels, 0.5 / np.sqrt(2), rtol=0.01)  # no gap and no click at the edges


def test_what_is_added_has_the_level_that_was_drawn():
    wav, other = Tones(3).crop(0, 0, 4000), 0.01 * Tones(3).crop(2, 0, 4000)
    added = augment.mixed(wav, other, -12.0) - wav
    assert 20 * np.log10(np.std(added) / np.std(wav)) == pytest.approx(-12, abs=0.01)
    assert augment.mixed(wav, 0 * wav, -12.0) is wav
    several = [np.abs(np.fft.rfft(w))[[250, 500, 750]] > 20 for w in crops(Tones(3), mix=1.0, mix_db=[-6, 0])]
    assert {2} <= {int(both.sum()) for both in several} <= {1, 2}


def test_narrowing_takes_away_what_lies_above():
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 16000)).astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(augment.narrowed(noise, 4000.0, RATE)[0])))
    before = np.square(np.abs(np.fft.rfft(noise[0])))
    assert power[4400:].sum() < 1e-4 * before[4400:].sum()
    assert power[:3500].sum() == pytest.approx(before[:3500].sum(), rel=0.01)
    assert augment.narrowed(noise, 8000.0, RATE) is noise


def test_a_pause_is_digital_silence_of_its_length():
    wavs = crops(pause=1.0, pause_s=[0.1, 0.1])
    silent = [int((np.abs(wav) == 0).sum()) for wav in wavs]
    pure_tone_zeros = int((np.abs(crops(count=1)[0]) == 0).sum())
    fades = 2 * int(0.005 * RATE)
    assert all(1600 - fades <= n <= 1600 + pure_tone_zeros for n in silent)


def test_shares_are_shares_of_the_crops():
    narrowed = [np.std(wav) < 0.2 for wav in crops(count=400, narrow=0.3, narrow_hz=[500, 500])]
    assert 0.22 < np.mean(narrowed) < 0.38


def test_no_change_leaves_every_crop_as_it_was_and_choice_of_crops_never_moves():
    plain = crops(Tones(3))
    np.testing.assert_array_equal(plain, crops(Tones(3), speed=[1.0, 1.0], mix=0.0))
    some = crops(Tones(3), pause=0.5)
    untouched = (some == plain).all(axis=1)
    assert 0.2 < untouched.mean() < 0.8


def test_crops_stay_a_function_of_seed_step_and_row():
    everything = {"speed": [0.8, 1.25], "mix": 0.5, "narrow": 0.5, "pause": 0.5}
    np.testing.assert_array_equal(crops(Tones(3), **everything), crops(Tones(3), **everything))
    assert not np.array_equal(crops(Tones(3), **everything), crops(Tones(3), seed=1, **everything))


@given(st.floats(0.5, 2.0), st.integers(1, 5000), st.integers(1, 2))
def test_every_speed_gives_the_length_asked_for(speed, length, channels):
    needed = augment.samples_needed(length, speed)
    assert augment.at_speed(np.zeros((channels, needed), np.float32), speed, length).shape == (channels, length)


def test_nothing_leaves_full_scale():
    assert np.abs(crops(Tones(3, amplitude=1.0), mix=1.0, mix_db=[0, 0])).max() <= 1
    quiet = np.full((1, 3), 0.25, np.float32)
    assert augment.within_full_scale(quiet) is quiet


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"speed": [1.2, 0.9]}, "the lower end comes first"), ({"speed": [0.1, 1]}, "outside of 0.5 to 2")],
)
def test_ranges_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        crops(**settings)
