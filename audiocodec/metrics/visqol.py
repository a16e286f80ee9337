"""ViSQOL v3 in speech mode, by the package `visqol-python`, under its two mappings from similarity to MOS.

Traps, each found by running it:
* without `ai-edge-litert` the package falls back from the lattice to the polynomial mapping, one to two points higher,
  with no more than a log line: here each mapping is a metric of its own;
* the lattice, ViSQOL's default since 3.3, is not at its highest for identical files (3.6 to 4.7 on clean speech), and
  rates some of them below the same file with faint noise; the polynomial gives 5.0;
* a silent reference scores a near-perfect 4.7, and half a second or less ends in IndexError.
"""

from functools import cache, lru_cache
from typing import Any

import numpy as np

from .base import Metric, NoScoreError, Signal

MIN_S = 0.75


def _visqol(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    return float(_similarity(reference.tobytes(), degraded.tobytes(), sample_rate).moslqo)


def _visqol_poly(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    from visqol.quality_mapper import SpeechSimilarityToQualityMapper

    similarity = _similarity(reference.tobytes(), degraded.tobytes(), sample_rate)
    return float(SpeechSimilarityToQualityMapper().predict_quality(similarity.fvnsim))


@lru_cache(maxsize=1)  # the comparison is the costly part, and both mappings start from it
def _similarity(reference: bytes, degraded: bytes, sample_rate: int) -> Any:
    """The package's result for two signals given as float32 bytes, which can be remembered where arrays cannot."""
    a, b = (np.frombuffer(x, np.float32) for x in (reference, degraded))
    if len(a) < MIN_S * sample_rate:
        raise NoScoreError(f"ViSQOL needs {MIN_S} s, got {len(a) / sample_rate:.3f} s")
    try:
        return _model().measure_from_arrays(a, b, sample_rate)
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
    definition="ViSQOL v3.3, speech mode at 16 kHz, MOS-LQO 1 to 5 by its default lattice mapping, by visqol-python. "
    "Identical files score 3.6 to 4.7.",
    better="higher",
    function=_visqol,
    packages=("visqol", "ai_edge_litert"),
)
visqol_poly = Metric(
    name="visqol_poly",
    version="1",
    label="ViSQOL (polynomial)",
    definition="ViSQOL v3, speech mode at 16 kHz, MOS-LQO 1 to 5 by the exponential mapping scaled to 5.0 for identity "
    "(the default before 3.3), by visqol-python.",
    better="higher",
    function=_visqol_poly,
    packages=("visqol",),
)
