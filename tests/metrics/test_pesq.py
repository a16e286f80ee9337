"""PESQ under its guards, against the package itself."""

from itertools import pairwise

import numpy as np
import pytest
from pesq import pesq

from audiocodec.metrics import pesq_nb, pesq_wb
from audiocodec.metrics.pesq import pieces

RATE = 16000


def bursts(count, burst_s, pause_s, rng):
    parts = [np.pad(rng.normal(0, 0.2, int(burst_s * RATE)), (0, int(pause_s * RATE))) for _ in range(count)]
    return np.concatenate(parts).astype(np.float32)


def test_short_files_score_as_the_package_says(speech):
    degraded = speech + 0.01 * np.random.default_rng(0).normal(size=len(speech)).astype(np.float32)
    assert pesq_wb(speech, degraded, RATE) == pesq(RATE, speech, degraded, "wb")
    assert pesq_nb(speech, degraded, RATE) == pesq(RATE, speech, degraded, "nb")


def test_identity_is_the_ceiling(speech):
    assert pesq_wb(speech, speech, RATE) == pytest.approx(4.644, abs=1e-3)
    assert pesq_nb(speech, speech, RATE) == pytest.approx(4.549, abs=1e-3)


@pytest.mark.parametrize(("n_samples", "expected"), [(0, 1), (1, 1), (320_000, 1), (320_001, 2), (1_000_000, 4)])
def test_pieces_are_equal_and_no_longer_than_twenty_seconds(n_samples, expected):
    parts = pieces(n_samples, RATE)
    lengths = [part.stop - part.start for part in parts]
    assert len(parts) == expected and sum(lengths) == n_samples
    assert max(lengths) <= 20 * RATE and max(lengths) - min(lengths) <= 1
    assert all(a.stop == b.start for a, b in pairwise(parts))


def test_a_file_with_a_hundred_utterances_does_not_crash():
    """The package's own code ends the process with a segmentation fault from 60 utterances on."""
    rng = np.random.default_rng(0)
    reference = bursts(100, 0.21, 0.21, rng)
    score = pesq_wb.score(reference, reference + 0.01 * rng.normal(size=len(reference)).astype(np.float32), RATE)
    assert 1 < score.value < 4.6 and not score.reason


def test_pieces_without_speech_do_not_count(speech):
    """Half a minute of silence after the speech changes nothing but the cut of the pieces."""
    reference = np.concatenate([speech, np.zeros(20 * RATE - len(speech), np.float32), np.zeros(20 * RATE, np.float32)])
    assert pesq_wb(reference, reference, RATE) == pytest.approx(4.644, abs=1e-3)


def test_a_decoder_that_falls_silent_for_a_whole_piece_gets_no_score(speech):
    """Averaging the rest would reward it."""
    reference = np.tile(speech, int(np.ceil(40 * RATE / len(speech))))[: 40 * RATE]
    degraded = reference.copy()
    degraded[20 * RATE :] = 0
    score = pesq_wb.score(reference, degraded, RATE)
    assert np.isnan(score.value) and "silent where the reference is not" in score.reason


def test_near_silence_scores_lowest(speech):
    degraded = np.zeros_like(speech)
    degraded[100] = 1e-6
    assert pesq_wb(speech, degraded, RATE) < 1.1


def test_too_short():
    noise = np.random.default_rng(0).normal(0, 0.1, 3999).astype(np.float32)
    assert "0.25 s" in pesq_wb.score(noise, noise, RATE).reason


def test_a_reference_without_an_utterance():
    """Bursts of 50 ms: P.862 asks for 200."""
    clicks = bursts(4, 0.05, 0.25, np.random.default_rng(0))
    assert "no utterance" in pesq_wb.score(clicks, clicks, RATE).reason
