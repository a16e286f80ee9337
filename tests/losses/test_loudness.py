"""The loudness disturbance behaves as hearing does, and ranks degradations as PESQ itself does."""

import math

import pesq
import pytest
import soundfile
import torch

from audiocodec.audio.spectral import stft
from audiocodec.losses.loudness import Loudness

RATE, WINDOW = 16000, 512


def disturbance(fake: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    return Loudness(RATE, WINDOW)(stft(fake, WINDOW), stft(real, WINDOW), real.square().mean(-1))


@pytest.fixture(scope="module")
def speech() -> torch.Tensor:
    samples, _ = soundfile.read("egs/samples/librispeech_2002.flac", dtype="float32", frames=4 * RATE)
    return torch.from_numpy(samples)[None]


def test_identical_audio_is_next_to_undisturbed(speech: torch.Tensor) -> None:
    assert disturbance(speech, speech) < 1e-3  # the floor under the root is all that is left


def test_level_of_the_recording_does_not_matter(speech: torch.Tensor) -> None:
    fake = speech + 0.01 * torch.randn(speech.shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(disturbance(0.3 * fake, 0.3 * speech), disturbance(fake, speech), rtol=1e-3, atol=0)


def test_a_pause_is_not_raised_to_speech() -> None:
    hiss = 1e-6 * torch.randn(1, RATE, generator=torch.Generator().manual_seed(2))
    assert disturbance(0 * hiss, hiss) < 0.05 * disturbance(0 * hiss, 1e5 * hiss)


def test_noise_ranks_as_in_pesq(speech: torch.Tensor) -> None:
    noise = torch.randn(speech.shape, generator=torch.Generator().manual_seed(1)) * speech.square().mean().sqrt()
    ours, theirs = [], []
    for snr_db in (0, 10, 20, 30, 40):
        fake = speech + noise * 10 ** (-snr_db / 20)
        ours.append(float(disturbance(fake, speech)))
        theirs.append(pesq.pesq(RATE, speech[0].numpy(), fake[0].numpy(), "wb"))
    assert ours == sorted(ours, reverse=True) and theirs == sorted(theirs)


def test_what_lies_below_hearing_counts_for_next_to_nothing(speech: torch.Tensor) -> None:
    t = torch.arange(speech.shape[-1]) / RATE
    hum = torch.sin(2 * math.pi * 1000 * t)
    quiet, loud = (disturbance(speech + level * hum, speech) for level in (1e-6, 1e-2))
    assert quiet - disturbance(speech, speech) < 0.01 * (loud - disturbance(speech, speech))


def test_silence_gives_finite_gradients() -> None:
    fake = torch.zeros(1, RATE, requires_grad=True)
    disturbance(fake, torch.zeros(1, RATE)).backward()
    assert fake.grad is not None and fake.grad.isfinite().all()
