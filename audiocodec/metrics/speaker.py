"""Whether the voice stays the same: cosine of speaker embeddings, by the package `resemblyzer`."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Metric, NoScoreError, Signal

MIN_VOICED_S = 0.5


def _speaker_cosine(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    a, b = (_embedding(x, sample_rate, role) for x, role in ((reference, "reference"), (degraded, "decoded signal")))
    return float(a @ b)  # both have length 1


def _embedding(signal: Signal, sample_rate: int, role: str) -> NDArray[np.float32]:
    """[256] of unit length, from the parts that a voice detector keeps."""
    from resemblyzer import preprocess_wav

    voiced = preprocess_wav(signal.copy(), source_sr=sample_rate)
    if len(voiced) < MIN_VOICED_S * sample_rate:
        raise NoScoreError(f"less than {MIN_VOICED_S} s of voice in the {role}")
    return _encoder().embed_utterance(voiced)


@cache
def _encoder() -> Any:
    from resemblyzer import VoiceEncoder

    return VoiceEncoder("cpu", verbose=False)


speaker_cosine = Metric(
    name="speaker_cosine",
    version="1",
    label="speaker cosine",
    definition="Cosine of Resemblyzer's speaker embeddings of reference and decoded signal at 16 kHz, -1 to 1; "
    "another text of the same speaker gives about 0.9, another speaker about 0.6.",
    better="higher",
    function=_speaker_cosine,
    packages=("resemblyzer",),
)
