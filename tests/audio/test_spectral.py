"""Spectra and filterbanks against torch.stft, numerical gradients and librosa."""

import librosa
import numpy as np
import pytest
import torch

from audiocodec.audio.spectral import mel_filterbank, stft


@pytest.mark.parametrize("n_fft", [16, 64, 512])
@pytest.mark.parametrize("length", [512, 700, 1023])
def test_stft_has_the_numbers_of_torch(n_fft, length):
    wav = torch.randn(2, length, dtype=torch.float64)
    window = torch.hann_window(n_fft, dtype=torch.float64)
    theirs = torch.stft(wav, n_fft, n_fft // 4, window=window, return_complex=True).transpose(1, 2)
    torch.testing.assert_close(stft(wav, n_fft), torch.stack([theirs.real, theirs.imag]))


def test_stft_gradient_is_the_adjoint():
    wav = torch.randn(2, 75, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: stft(x, 16), wav)


def test_window_made_under_inference_mode_serves_training():
    with torch.inference_mode():
        stft(torch.zeros(1, 400), 128)
    wav = torch.randn(1, 400, requires_grad=True)
    stft(wav, 128).square().sum().backward()
    assert wav.grad.abs().sum() > 0


@pytest.mark.parametrize(("rate", "n_fft", "n_mels"), [(16000, 512, 80), (44100, 2048, 320), (24000, 32, 5)])
@pytest.mark.filterwarnings("ignore:Empty filters")
def test_mel_filterbank_is_librosas(rate, n_fft, n_mels):
    theirs = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels)
    np.testing.assert_allclose(mel_filterbank(rate, n_fft, n_mels), theirs, atol=1e-7)


def test_mel_filterbank_keeps_to_its_edges():
    filters = mel_filterbank(16000, 512, 40, f_min_hz=300.0, f_max_hz=3400.0)
    theirs = librosa.filters.mel(sr=16000, n_fft=512, n_mels=40, fmin=300.0, fmax=3400.0)
    np.testing.assert_allclose(filters, theirs, atol=1e-7)
