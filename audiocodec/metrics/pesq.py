"""PESQ, wide band (ITU-T P.862.2) and narrow band (P.862.1), by the package `pesq` under guards.

Three traps of the package, each found by running it:
* the ITU code keeps 50 utterances in fixed arrays and crashes the whole process when a file has more (60 do it).
  An utterance lasts 0.2 s at least, and so does a pause that parts two: a piece of 20 s holds no more than 50;
* a silent decoded signal raises ValueError, not a PesqError, in the middle of a run;
* error codes come back as negative "scores" when errors are returned as values.
"""

from itertools import pairwise

import numpy as np

from .base import Metric, NoScoreError, Signal

PIECE_S = 20.0  # longest piece scored at once; the standard's own material is 8 to 12 s long
MIN_S = 0.25  # P.862 asks for a quarter of a second


def pieces(n_samples: int, sample_rate: int, piece_s: float = PIECE_S) -> list[slice]:
    """Cut `n_samples` into equal parts of at most `piece_s` seconds (one part when it fits)."""
    count = max(1, int(np.ceil(n_samples / (piece_s * sample_rate))))
    edges = [n_samples * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def _pesq(reference: Signal, degraded: Signal, sample_rate: int, mode: str) -> float:
    """Mean over pieces, weighted by their length; pieces where the reference has no speech do not count."""
    if len(reference) < MIN_S * sample_rate:
        raise NoScoreError(f"PESQ needs {MIN_S} s, got {len(reference) / sample_rate:.3f} s")
    scores, weights = [], []
    for part in pieces(len(reference), sample_rate):
        score = _pesq_piece(reference[part], degraded[part], sample_rate, mode)
        if score is not None:
            scores.append(score)
            weights.append(part.stop - part.start)
    if not scores:
        raise NoScoreError("PESQ finds no utterance in the reference")
    return float(np.average(scores, weights=weights))


def _pesq_piece(reference: Signal, degraded: Signal, sample_rate: int, mode: str) -> float | None:
    """Score of one piece, None where the reference has no utterance."""
    from pesq import NoUtterancesError, PesqError, pesq

    if not reference.any():
        return None
    if not degraded.any():
        raise NoScoreError("the decoded signal is silent where the reference is not")
    try:
        return float(pesq(sample_rate, reference, degraded, mode))
    except NoUtterancesError:
        return None
    except (PesqError, ValueError) as error:  # ValueError: the decoded signal is silent to its voice detector
        raise NoScoreError(f"PESQ gives no answer: {error}") from error


def _pesq_wb(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    return _pesq(reference, degraded, sample_rate, "wb")


def _pesq_nb(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    return _pesq(reference, degraded, sample_rate, "nb")


pesq_wb = Metric(
    name="pesq_wb",
    version="1",
    label="PESQ-WB",
    definition="ITU-T P.862.2 mapped MOS-LQO (1.04 to 4.64) at 16 kHz; files over 20 s: length-weighted mean over "
    "equal pieces of at most 20 s that hold speech.",
    better="higher",
    function=_pesq_wb,
    packages=("pesq",),
)
pesq_nb = Metric(
    name="pesq_nb",
    version="1",
    label="PESQ-NB",
    definition="ITU-T P.862.1 mapped MOS-LQO (1.02 to 4.55) of 16 kHz signals, judged as by telephone; pieces as in "
    "PESQ-WB.",
    better="higher",
    function=_pesq_nb,
    packages=("pesq",),
)
