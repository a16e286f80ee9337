"""Spectral distances against outside judges: librosa's filters and features, and DAC's formulas written in torch."""

import librosa
import numpy as np
import pytest
import scipy.fft
import torch

from audiocodec.metrics import NoScoreError, log_spectral_distance, mel_distance, mfcc_distance, stft_distance
from audiocodec.metrics.catalogue import METRICS
from audiocodec.metrics.spectral import _mfcc, magnitudes, mel_filters, mel_loss_dac

RATE = 16000


@pytest.fixture(scope="module")
def pair():
    """A chirp with harmonics that stops half-way, and the same with noise."""
    rng, t = np.random.default_rng(1), np.arange(2 * RATE) / RATE
    reference = sum(0.2 / k * np.sin(2 * np.pi * k * (150 * t + 60 * t**2)) for k in (1, 2, 3)) * (t < 1.2)
    return reference.astype(np.float32), (reference + 0.01 * rng.normal(size=t.size)).astype(np.float32)


def torch_magnitudes(signal, window, hop):
    spectrum = torch.stft(
        torch.from_numpy(signal), window, hop, window=torch.hann_window(window), pad_mode="reflect", return_complex=True
    )
    return spectrum.abs()


def dac_distance(x, y, windows, n_mels=None, power=2.0, linear=1.0):
    """The formula of the definition, step by step, with torch's transform and librosa's filters."""
    total = 0.0
    for index, window in enumerate(windows):
        a, b = (torch_magnitudes(signal, window, window // 4) for signal in (x, y))
        if n_mels:
            filters = torch.from_numpy(librosa.filters.mel(sr=RATE, n_fft=window, n_mels=n_mels[index], fmin=0.0))
            a, b = filters @ a, filters @ b
        logs = [m.clamp(min=1e-5).pow(power).log10() for m in (a, b)]
        total += float((logs[0] - logs[1]).abs().mean() + linear * (a - b).abs().mean())
    return total


@pytest.mark.parametrize("n_samples", [1025, 4000, 4001])
@pytest.mark.parametrize(("window", "hop"), [(2048, 512), (512, 128), (320, 80)])
def test_magnitudes_are_torchs(pair, window, hop, n_samples):
    signal = pair[1][:n_samples]
    np.testing.assert_allclose(magnitudes(signal, window, hop), torch_magnitudes(signal, window, hop), atol=2e-5)


def test_a_signal_too_short_to_be_mirrored_has_no_spectrum():
    with pytest.raises(NoScoreError, match="more than 1024 samples, got 1024"):
        magnitudes(np.ones(1024, np.float32), 2048, 512)


@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels"), [(16000, 2048, 150), (16000, 512, 80), (44100, 512, 80), (22050, 32, 5)]
)
def test_mel_filters_are_librosas(rate, n_fft, n_mels):
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=0.0)
    np.testing.assert_allclose(mel_filters(rate, n_fft, n_mels), expected, atol=1e-8)


def test_mel_distance_is_dacs(pair):
    expected = dac_distance(*pair, windows=(2048, 512), n_mels=(150, 80))
    assert mel_distance(*pair, RATE) == pytest.approx(expected, rel=3e-6)


def test_stft_distance_is_dacs(pair):
    assert stft_distance(*pair, RATE) == pytest.approx(dac_distance(*pair, windows=(2048, 512)), rel=3e-6)


@pytest.mark.filterwarnings("ignore:Empty filters detected")  # the recipe asks for more bands than bins: so does DAC
def test_training_mel_loss_is_dacs(pair):
    expected = dac_distance(
        *pair, (32, 64, 128, 256, 512, 1024, 2048), (5, 10, 20, 40, 80, 160, 320), power=1.0, linear=0.0
    )
    assert mel_loss_dac(*pair, RATE) == pytest.approx(expected, rel=3e-6)


@pytest.mark.slow  # librosa compiles on first use
def test_mfccs_are_librosas(pair):
    """librosa pads with zeros where we mirror, so frames that touch an edge are left out."""
    expected = librosa.feature.mfcc(y=pair[1], sr=RATE, n_mfcc=20)
    np.testing.assert_allclose(_mfcc(pair[1], RATE)[:, 2:-3], expected[:, 2:-3], atol=2e-2)


def test_mfccs_are_the_cosine_transform_of_the_mel_levels(pair):
    power = mel_filters(RATE, 2048, 128) @ torch_magnitudes(pair[1], 2048, 512).numpy() ** 2
    level_db = 10 * np.log10(np.maximum(power, 1e-10))
    expected = scipy.fft.dct(np.maximum(level_db, level_db.max() - 80), axis=0, norm="ortho")[:20]
    np.testing.assert_allclose(_mfcc(pair[1], RATE), expected, atol=2e-3)


def test_log_spectral_distance_of_a_gain_is_the_gain(pair):
    """Twice the amplitude is log10(4) more power in every bin that is above the floor."""
    loud = pair[1]
    assert log_spectral_distance(loud, 2 * loud, RATE) == pytest.approx(np.log10(4), rel=1e-4)


@pytest.mark.parametrize(
    "metric", [mel_distance, stft_distance, log_spectral_distance, mfcc_distance], ids=lambda m: m.name
)
def test_distances_are_zero_only_for_the_same_signal_and_grow_with_noise(pair, metric):
    reference, noise = pair[0], pair[1] - pair[0]
    scores = [metric(reference, reference + level * noise, RATE) for level in (0, 0.1, 1, 5)]
    assert scores[0] == 0
    assert scores == sorted(scores) and len(set(scores)) == 4


def test_the_same_formula_at_another_rate_is_another_metric(pair):
    names = ("mel_distance", "mel_distance_22k", "mel_distance_44k")
    scores = {METRICS[name](*pair, RATE) for name in names}
    assert len(scores) == 3 and len({METRICS[name].id for name in names}) == 3
