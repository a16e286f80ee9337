"""ViSQOL v3 in speech mode, by the package `visqol-python` (its support-vector model lies in the package).

Two traps of the package: a silent reference scores a near-perfect 4.7, and half a second or less ends in IndexError.
"""

from functools import cache
from typing import Any

from .base import Metric, NoScoreError, Signal

MIN_S = 0.75


def _visqol(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    if len(reference) < MIN_S * sample_rate:
        raise NoScoreError(f"ViSQOL needs {MIN_S} s, got {len(reference) / sample_rate:.3f} s")
    try:
        return float(_model().measure_from_arrays(reference, degraded, sample_rate).moslqo)
    except (IndexError, ValueError) as error:  # no patch with speech in it
        raise NoScoreError(f"ViSQOL gives no answer: {error}") from error


@cache
def _model() -> Any:
    from visqol import VisqolApi

    model = VisqolApi()
    model.create(mode="speech")
    return model


visqol = Metric(
    name="visqol",
    version="1",
    label="ViSQOL",
    definition="ViSQOL v3.3, speech mode at 16 kHz, MOS-LQO 1 to about 4.55 (identity), by visqol-python.",
    better="higher",
    function=_visqol,
    package="visqol",
)
