"""The intelligibility term follows STOI itself, in value and in rank."""

import pystoi
import pytest
import soundfile
import torch

from audiocodec.audio.spectral import stft
from audiocodec.losses.intelligibility import Intelligibility

RATE, WINDOW = 16000, 512


def term(fake: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    return Intelligibility(RATE, WINDOW)(stft(fake, WINDOW), stft(real, WINDOW))


@pytest.fixture(scope="module")
def speech() -> torch.Tensor:
    samples, _ = soundfile.read("egs/samples/librispeech_2002.flac", dtype="float32", frames=8 * RATE)
    return torch.from_numpy(samples)[None]


def test_identical_audio_is_perfectly_intelligible_at_any_gain(speech: torch.Tensor) -> None:
    assert term(speech, speech) < 1e-4
    assert term(0.1 * speech, speech) < 1e-4


def test_it_is_one_minus_stoi_for_noise_of_any_level(speech: torch.Tensor) -> None:
    noise = torch.randn(speech.shape, generator=torch.Generator().manual_seed(1)) * speech.square().mean().sqrt()
    for snr_db in (-5, 0, 5, 10, 20):
        fake = speech + noise * 10 ** (-snr_db / 20)
        stoi = pystoi.stoi(speech[0].numpy(), fake[0].numpy(), RATE)
        assert float(1 - term(fake, speech)) == pytest.approx(stoi, abs=0.06), snr_db  # pauses are cut out otherwise


def test_silence_and_short_crops_give_finite_gradients(speech: torch.Tensor) -> None:
    for real in (torch.zeros(1, RATE), speech[:, :RATE], speech[:, : RATE // 4]):
        fake = torch.zeros_like(real).requires_grad_()
        term(fake, real).backward()
        assert fake.grad is not None and fake.grad.isfinite().all()
    fake = (0.5 * speech[:, :RATE]).requires_grad_()
    term(fake, speech[:, :RATE]).backward()
    assert fake.grad is not None and fake.grad.isfinite().all()
