"""Objective measures of decoded audio: each a `Metric`, called as metric(reference, degraded, sample_rate) -> float."""

from .base import Metric, NoScoreError, Score
from .pesq import pesq_nb, pesq_wb
from .sdr import si_sdr
from .spectral import log_spectral_distance, mel_distance, mfcc_distance, stft_distance
from .stoi import estoi, stoi

__all__ = [
    "Metric",
    "NoScoreError",
    "Score",
    "estoi",
    "log_spectral_distance",
    "mel_distance",
    "mfcc_distance",
    "pesq_nb",
    "pesq_wb",
    "si_sdr",
    "stft_distance",
    "stoi",
]
