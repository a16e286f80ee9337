"""Scale-invariant signal-to-distortion ratio."""

import numpy as np

from .base import Metric, NoScoreError, Signal

LIMIT_DB = 100.0  # beyond float32's own noise; keeps identical signals finite


def _si_sdr(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    """10 log10(|a r|^2 / |d - a r|^2) of zero-mean r and d, with a = <d, r> / <r, r>.

    Source: Le Roux et al. 2019, arXiv:1811.02508, eq. 3; deviates: means removed, clipped to +-100 dB.
    """
    r, d = (x.astype(np.float64) - x.mean(dtype=np.float64) for x in (reference, degraded))
    if not r @ r or not d @ d:
        raise NoScoreError("a constant signal has no SI-SDR")
    target = (d @ r) / (r @ r) * r
    error = d - target
    signal, noise, limit = target @ target, error @ error, 10 ** (LIMIT_DB / 10)
    return 10 * float(np.log10(max(signal, noise / limit) / max(noise, signal / limit)))


si_sdr = Metric(
    name="si_sdr",
    version="1",
    label="SI-SDR",
    definition="Le Roux et al. 2019 with means removed, in dB at 16 kHz, clipped to +-100 dB.",
    better="higher",
    function=_si_sdr,
    unit="dB",
)
