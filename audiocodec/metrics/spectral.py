"""Distances between spectra: DAC's mel and STFT distances, log-spectral distance, MFCC distance.

"Mel distance" has at least three meanings in print. Here every definition has its own name, and the rate is part of
it: the same pair of files gives different numbers at 16, 22.05 and 44.1 kHz.
"""

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .base import Metric, NoScoreError, Signal

DAC_WINDOWS = (2048, 512)
DAC_MELS = (150, 80)
TRAIN_WINDOWS = (32, 64, 128, 256, 512, 1024, 2048)
TRAIN_MELS = (5, 10, 20, 40, 80, 160, 320)
FLOOR = 1e-5  # clamp of magnitudes before the logarithm
Spectrum = NDArray[np.float32]


def magnitudes(signal: Signal, window: int, hop: int) -> Spectrum:
    """Magnitude STFT with a periodic Hann window, frames centred, edges mirrored.

    Args:
        signal: [L] float32, L > window / 2.
        window: length, samples; also the size of the transform.
        hop: samples.
    Returns:
        [window / 2 + 1, 1 + L // hop] float32.
    Raises:
        NoScoreError: the signal is too short to be mirrored.
    """
    if len(signal) <= window // 2:
        raise NoScoreError(f"a window of {window} samples needs more than {window // 2} samples, got {len(signal)}")
    padded = np.pad(signal, window // 2, mode="reflect")
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
    frames = sliding_window_view(padded, window)[::hop] * hann
    return np.abs(np.fft.rfft(frames, axis=-1)).T


@cache
def mel_filters(sample_rate: int, n_fft: int, n_mels: int) -> Spectrum:
    """Triangular filters on Slaney's mel scale, 0 Hz to sample_rate / 2, each of unit area (in Hz, times two).

    Args:
        sample_rate: Hz.
        n_fft: size of the transform, samples.
        n_mels: number of filters.
    Returns:
        [n_mels, n_fft / 2 + 1] float32.
    Source: Slaney 1998, Auditory Toolbox; same numbers as librosa.filters.mel.
    """
    edges_hz = _mel_to_hz(np.linspace(0.0, _hz_to_mel(sample_rate / 2), n_mels + 2))
    bins_hz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    rise = (bins_hz - edges_hz[:-2, None]) / np.diff(edges_hz)[:-1, None]
    fall = (edges_hz[2:, None] - bins_hz) / np.diff(edges_hz)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rise, fall))
    return (triangles * (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None]).astype(np.float32)


def _hz_to_mel(hz: float) -> float:
    """Linear below 1 kHz (15 mel), 27 mel per factor 6.4 above."""
    return 3 * hz / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def _log_and_linear(a: Spectrum, b: Spectrum, power: float = 2.0, linear: float = 1.0) -> float:
    """Mean |log10 a^power - log10 b^power| with magnitudes clamped at 1e-5, plus `linear` times mean |a - b|."""
    logs = np.log10(np.maximum(a, FLOOR)) - np.log10(np.maximum(b, FLOOR))
    distance = power * np.abs(logs).mean(dtype=np.float64)
    return float(distance + linear * np.abs(a - b).mean(dtype=np.float64))


def _dac_mel(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    """Source: Kumar et al. 2023, arXiv:2306.06546; the class defaults that its evaluation uses."""
    total = 0.0
    for window, n_mels in zip(DAC_WINDOWS, DAC_MELS, strict=True):
        x, y = _mel_pair(reference, degraded, sample_rate, window, n_mels)
        total += _log_and_linear(x, y)
    return total


def _dac_mel_train(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    """Source: Kumar et al. 2023, arXiv:2306.06546; the seven-scale reconstruction loss of its base recipe."""
    total = 0.0
    for window, n_mels in zip(TRAIN_WINDOWS, TRAIN_MELS, strict=True):
        x, y = _mel_pair(reference, degraded, sample_rate, window, n_mels)
        total += _log_and_linear(x, y, power=1.0, linear=0.0)
    return total


def _dac_stft(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    """Source: Kumar et al. 2023, arXiv:2306.06546; the class defaults that its evaluation uses."""
    total = 0.0
    for window in DAC_WINDOWS:
        total += _log_and_linear(magnitudes(reference, window, window // 4), magnitudes(degraded, window, window // 4))
    return total


def _mel_pair(a: Signal, b: Signal, sample_rate: int, window: int, n_mels: int) -> tuple[Spectrum, Spectrum]:
    """Both signals as [n_mels, frames] of mel bands of magnitudes, hop window / 4."""
    filters = mel_filters(sample_rate, window, n_mels)
    return filters @ magnitudes(a, window, window // 4), filters @ magnitudes(b, window, window // 4)


def _log_spectral(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    """Mean over frames of the root mean square over frequency of log10 |X|^2 - log10 |Y|^2.

    Source: Gray and Markel 1976, in log10 units of power as bandwidth-extension papers print it (about 1 for speech).
    """
    a, b = (np.log10(np.maximum(magnitudes(x, 2048, 512), FLOOR)) * 2 for x in (reference, degraded))
    return float(np.sqrt(np.square(a - b).mean(axis=0, dtype=np.float64)).mean())


def _mfcc(signal: Signal, sample_rate: int, n_mfcc: int = 20, n_mels: int = 128) -> NDArray[np.float64]:
    """[n_mfcc, frames]: orthonormal DCT-II of mel power in dB, floored 80 dB under the loudest value."""
    mel = mel_filters(sample_rate, 2048, n_mels) @ np.square(magnitudes(signal, 2048, 512))
    level_db = 10 * np.log10(np.maximum(mel, 1e-10), dtype=np.float64)
    level_db = np.maximum(level_db, level_db.max() - 80)
    row, column = np.ogrid[:n_mfcc, :n_mels]
    dct = np.sqrt(2 / n_mels) * np.cos(np.pi * row * (2 * column + 1) / (2 * n_mels))
    dct[0] /= np.sqrt(2)
    return dct @ level_db


def _mfcc_distance(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    difference = _mfcc(reference, sample_rate) - _mfcc(degraded, sample_rate)
    return float(np.sqrt(np.square(difference).sum(axis=0)).mean())


_DAC_MEL = (
    "Sum over (window, mels) = (2048, 150), (512, 80) of mean |log10 max(Y, 1e-5)^2 - log10 max(X, 1e-5)^2| + "
    "mean |Y - X|; X, Y: Slaney mel bands of magnitudes, hop window / 4. As DAC's evaluation defines it"
)


def dac_mel_distance(name: str, label: str, sample_rate: int | None, remark: str) -> Metric:
    """DAC's mel distance at a rate in Hz (None: at that of the comparison), under a name of its own."""
    return Metric(name, "1", label, f"{_DAC_MEL}, {remark}.", "lower", _dac_mel, sample_rate)


mel_distance = dac_mel_distance("mel_distance", "mel distance", 16000, "at 16 kHz (DAC itself: 22.05 and 44.1 kHz)")
mel_distance_22k = dac_mel_distance("mel_distance_22k", "mel distance 22.05 kHz", 22050, "at 22.05 kHz")
mel_distance_44k = dac_mel_distance("mel_distance_44k", "mel distance 44.1 kHz", 44100, "at 44.1 kHz")
codec_superb_mel = dac_mel_distance(
    "codec_superb_mel",
    "mel distance (Codec-SUPERB)",
    None,
    "at the rate of the comparison (the board: the file's own)",
)
mel_loss_dac = Metric(
    name="mel_loss_dac",
    version="1",
    label="mel loss, 7 scales",
    definition="DAC's training loss: sum over windows 32 to 2048 (5 to 320 mels) of mean |log10 max(Y, 1e-5) - "
    "log10 max(X, 1e-5)|, hop window / 4, at 16 kHz. Filters narrower than a bin are empty, as in DAC.",
    better="lower",
    function=_dac_mel_train,
)
stft_distance = Metric(
    name="stft_distance",
    version="1",
    label="STFT distance",
    definition="Sum over windows 2048, 512 of mean |log10 max(Y, 1e-5)^2 - log10 max(X, 1e-5)^2| + mean |Y - X| of "
    "magnitudes, hop window / 4, at 16 kHz. As DAC's evaluation defines it.",
    better="lower",
    function=_dac_stft,
)
log_spectral_distance = Metric(
    name="log_spectral_distance",
    version="1",
    label="LSD",
    definition="Mean over frames of the RMS over frequency of the difference of log10 power; window 2048, hop 512, "
    "magnitudes clamped at 1e-5, at 16 kHz. Unit: log10 of power (1 = 10 dB).",
    better="lower",
    function=_log_spectral,
)
mfcc_distance = Metric(
    name="mfcc_distance",
    version="1",
    label="MFCC distance",
    definition="Mean over frames of the Euclidean distance of 20 MFCCs (128 Slaney mels of power in dB, window 2048, "
    "hop 512, orthonormal DCT, 80 dB range) at 16 kHz; librosa's defaults for the features.",
    better="lower",
    function=_mfcc_distance,
)
