"""Speech for the evaluation's tests: three seconds of the sample recording."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

SAMPLE = Path(__file__).parents[2] / "egs" / "samples" / "librispeech_2002.flac"


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    """[48000] float32 at 16 kHz."""
    samples, rate = soundfile.read(SAMPLE, dtype="float32")
    assert rate == 16000
    return samples[16000:64000]
