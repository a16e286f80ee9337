"""STOI and ESTOI under their guards, against the package itself."""

import numpy as np
import pytest
from pystoi import stoi as pystoi

from audiocodec.metrics import estoi, stoi

RATE = 16000


def test_scores_are_the_packages(speech):
    degraded = speech + 0.02 * np.random.default_rng(0).normal(size=len(speech)).astype(np.float32)
    assert stoi(speech, degraded, RATE) == pystoi(speech, degraded, RATE)
    assert estoi(speech, degraded, RATE) == pytest.approx(pystoi(speech, degraded, RATE, extended=True), abs=1e-9)


def test_identity_is_the_ceiling(speech):
    assert stoi(speech, speech, RATE) == pytest.approx(1.0, abs=1e-9)
    assert estoi(speech, speech, RATE) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("metric", [stoi, estoi], ids=lambda m: m.name)
def test_too_little_speech_is_no_score(speech, metric):
    """pystoi itself answers 1e-5 with a warning, which would look like a very bad codec."""
    score = metric.score(speech[:4000], speech[:4000], RATE)
    assert np.isnan(score.value) and score.reason
