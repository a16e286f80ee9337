"""STOI and ESTOI, intelligibility by short-time correlation of band envelopes, by the package `pystoi`."""

import warnings

from .base import Metric, NoScoreError, Signal


def _stoi(reference: Signal, degraded: Signal, sample_rate: int, extended: bool = False) -> float:
    """pystoi's value; too little speech, which it answers with 1e-5 and a warning, is no answer here."""
    from pystoi import stoi as pystoi

    if not reference.any():
        raise NoScoreError("the reference is silent")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Not enough STFT frames")
        try:
            return float(pystoi(reference, degraded, sample_rate, extended=extended))
        except RuntimeWarning as warning:
            raise NoScoreError("STOI needs about 0.4 s of speech") from warning
        except ValueError as error:
            raise NoScoreError(f"STOI gives no answer: {error}") from error


def _estoi(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    return _stoi(reference, degraded, sample_rate, extended=True)


stoi = Metric(
    name="stoi",
    version="1",
    label="STOI",
    definition="Taal et al. 2011, -1 to 1, by pystoi (its own resampling from 16 to 10 kHz).",
    better="higher",
    function=_stoi,
    packages=("pystoi",),
)
estoi = Metric(
    name="estoi",
    version="1",
    label="ESTOI",
    definition="Jensen and Taal 2016, -1 to 1, by pystoi (its own resampling from 16 to 10 kHz).",
    better="higher",
    function=_estoi,
    packages=("pystoi",),
)
