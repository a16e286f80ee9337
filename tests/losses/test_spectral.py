"""Each term against a slow computation of its formula, and the promises that training relies on."""

import librosa
import numpy as np
import pytest
import torch

from audiocodec.config.training import LossConfig
from audiocodec.losses import MultiScaleMel, MultiScaleSTFT, ReconstructionLoss

RATE = 16000
NO_TERM = {"mel": 0.0}


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    real = 0.1 * torch.randn(3, 1, 4000, generator=generator)
    real[2, :, 2000:] = 0.0
    return real + 0.03 * torch.randn(3, 1, 4000, generator=generator), real


def spectra(wav: torch.Tensor, window: int) -> np.ndarray:
    """[N, F, T] complex128, by librosa."""
    return np.stack([
        librosa.stft(x.double().numpy(), n_fft=window, hop_length=window // 4, pad_mode="reflect") for x in wav[:, 0]
    ])  # fmt: skip


@pytest.mark.filterwarnings("ignore:Empty filters")
def test_mel_is_dacs_formula_over_librosas_mel_spectra(pair):
    expected = 0.0
    for window, bins in ((64, 10), (1024, 160)):
        mel = librosa.filters.mel(sr=RATE, n_fft=window, n_mels=bins)
        x, y = (np.log10(np.maximum(mel @ np.abs(spectra(wav, window)), 1e-5)) for wav in pair)
        expected += np.abs(x - y).mean()
    loss = MultiScaleMel(RATE, windows=(64, 1024), bins=(10, 160))
    assert loss(*pair).item() == pytest.approx(expected, rel=1e-4)


def test_stft_is_log_and_relative_linear_magnitude(pair):
    expected = 0.0
    for window in (128, 512):
        x, y = (np.abs(spectra(wav, window)) for wav in pair)
        expected += 2 * np.abs(np.log10(np.maximum(x, 1e-5)) - np.log10(np.maximum(y, 1e-5))).mean()
        expected += (np.abs(x - y).mean(axis=(1, 2)) / y.mean(axis=(1, 2))).mean()
    # In digital silence single precision and the floor under the root meet the logarithm's floor.
    assert MultiScaleSTFT((128, 512))(*pair).item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_complex_compares_compressed_spectra(pair, norm):
    expected = 0.0
    for window in (128, 512):
        unit = np.sqrt(np.sum(np.hanning(window + 1)[:-1] ** 2))
        x, y = (spectra(wav, window) / unit for wav in pair)
        gap = x * (np.abs(x) ** 2 + 1e-6) ** -0.35 - y * (np.abs(y) ** 2 + 1e-6) ** -0.35
        parts = np.stack([gap.real, gap.imag])
        expected += np.abs(parts).mean() if norm == "l1" else np.square(parts).mean()
    config = LossConfig(**NO_TERM, complex=1.0, complex_windows=(128, 512), complex_norm=norm)
    assert ReconstructionLoss(config, RATE)(*pair)["complex"].item() == pytest.approx(expected, rel=1e-4)


def test_waveform_is_relative_to_each_item(pair):
    fake, real = pair
    loss = ReconstructionLoss(LossConfig(**NO_TERM, waveform=1.0), RATE)
    expected = np.mean([(f - r).abs().mean() / r.abs().mean() for f, r in zip(fake, real, strict=True)])
    assert loss(fake, real)["waveform"].item() == pytest.approx(expected, rel=1e-5)
    assert loss(0.1 * fake, 0.1 * real)["waveform"].item() == pytest.approx(expected, rel=1e-5)


def test_only_terms_of_non_zero_weight_are_computed(pair):
    config = LossConfig(mel=0.0, stft_log=1.0, complex=2.0, loudness=1.0)
    assert ReconstructionLoss(config, RATE)(*pair).keys() == {"stft_log", "complex", "loudness"}


def test_equal_audio_costs_nothing_and_silence_has_finite_gradients(pair):
    config = LossConfig(mel=1.0, stft_log=1.0, stft_linear=1.0, complex=1.0, waveform=1.0, loudness=1.0)
    loss = ReconstructionLoss(config, RATE)
    same = loss(pair[1], pair[1])
    assert all(value.item() == pytest.approx(0.0, abs=1e-3) for value in same.values())
    fake = torch.zeros(2, 1, 4000, requires_grad=True)
    for real in (torch.zeros(2, 1, 4000), pair[1][:2]):
        fake.grad = None
        torch.stack(list(loss(fake, real).values())).sum().backward()
        assert fake.grad.isfinite().all()


def test_mean_over_halves_is_the_whole(pair):
    """Two processes with half a batch each must see what one sees with all of it."""
    fake, real = (wav[:2] for wav in pair)
    config = LossConfig(mel=1.0, stft_log=1.0, stft_linear=1.0, complex=1.0, waveform=1.0, loudness=1.0)
    loss = ReconstructionLoss(config, RATE)
    whole, halves = loss(fake, real), [loss(fake[i : i + 1], real[i : i + 1]) for i in range(2)]
    for name, value in whole.items():
        torch.testing.assert_close(value, (halves[0][name] + halves[1][name]) / 2)


def test_stereo_is_judged_channel_by_channel(pair):
    fake, real = (wav[:2] for wav in pair)
    loss = MultiScaleMel(RATE, windows=(256,), bins=(40,))
    torch.testing.assert_close(loss(fake.view(1, 2, -1), real.view(1, 2, -1)), loss(fake, real))
