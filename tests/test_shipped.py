"""What the shipped model must do, on a recording that it was not trained on, against outside judges."""

from pathlib import Path

import numpy as np
import pytest
import scipy.signal

from audiocodec.audio.io import read_audio
from audiocodec.audio.resample import resample
from audiocodec.inference import InferenceCodec
from audiocodec.metrics.stoi import stoi

SAMPLE = Path(__file__).parents[1] / "egs/samples/kerstin_0347.flac"


@pytest.fixture(scope="module")
def codec() -> InferenceCodec:
    return InferenceCodec.from_pretrained("speech-16k")


@pytest.fixture(scope="module")
def speech(codec: InferenceCodec) -> np.ndarray:
    wav, rate = read_audio(SAMPLE)
    return np.float32(resample(wav[:1], rate, codec.sample_rate))


def repetition(wav: np.ndarray, lag: int) -> float:
    """Correlation with itself `lag` samples later, of what lies above 2.5 kHz."""
    high = scipy.signal.sosfilt(scipy.signal.butter(6, 2500, "highpass", fs=16000, output="sos"), wav)
    return float(high[lag:] @ high[:-lag] / (high @ high))


@pytest.mark.parametrize(("n_q", "least"), [(3, 0.82), (16, 0.94)])
def test_speech_stays_intelligible(codec: InferenceCodec, speech: np.ndarray, n_q: int, least: float) -> None:
    decoded = codec.decode(codec.encode(speech[None], n_q=n_q), speech.shape[1])[0, 0]
    assert stoi.score(speech[0], decoded, codec.sample_rate).value > least


def test_it_does_not_buzz_at_the_frame_rate(codec: InferenceCodec, speech: np.ndarray) -> None:
    """Phases set alike in every frame repeat the sound every hop; measures with a reference do not mind, ears do."""
    decoded = codec.decode(codec.encode(speech[None]), speech.shape[1])[0, 0]
    assert abs(repetition(speech[0], codec.hop_length)) < 0.2
    assert abs(repetition(decoded, codec.hop_length)) < 0.3


def test_silence_stays_silent(codec: InferenceCodec) -> None:
    wav = codec.decode(codec.encode(np.zeros((1, 1, 16000), np.float32)))
    assert np.abs(wav).max() < 1e-3
