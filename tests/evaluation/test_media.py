"""Sound and pictures in the report hold what they should."""

import base64
import io

import matplotlib.image
import numpy as np
import pytest
import soundfile

from audiocodec.evaluation.media import data_uri, flac, spectrogram

RATE = 16000


def test_flac_is_lossless_to_sixteen_bits_and_clips():
    signal = np.random.default_rng(0).uniform(-1.2, 1.2, 5000).astype(np.float32)
    samples, rate = soundfile.read(io.BytesIO(flac(signal, RATE)), dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(samples, np.clip(signal, -1, 1), atol=1.01 / 32768)


@pytest.mark.parametrize("tone_hz", [500, 2000, 7000])
def test_a_tone_is_bright_at_its_height(tone_hz):
    signal = (0.5 * np.sin(2 * np.pi * tone_hz * np.arange(RATE) / RATE)).astype(np.float32)
    picture = matplotlib.image.imread(io.BytesIO(spectrogram(signal, RATE)), format="jpg").astype(float).sum(axis=2)
    height = 1 - np.argmax(picture.mean(axis=1)) / (len(picture) - 1)
    assert height == pytest.approx(tone_hz / (RATE / 2), abs=0.02)


@pytest.mark.parametrize("n_samples", [1, 100, 321, 200_000])
def test_every_length_has_a_picture(n_samples):
    picture = matplotlib.image.imread(io.BytesIO(spectrogram(np.zeros(n_samples, np.float32), RATE)), format="jpg")
    assert picture.shape[0] == 161 and 1 <= picture.shape[1] <= 700


def test_data_uri():
    head, _, body = data_uri(b"\x00\xff", "audio/flac").partition(",")
    assert head == "data:audio/flac;base64" and base64.b64decode(body) == b"\x00\xff"
