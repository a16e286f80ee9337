"""Short-time spectra of waveforms and mel filterbanks: the measures that losses and metrics are built on."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

HOPS_PER_WINDOW = 4  # every spectrum here hops by a quarter of its window


def mel_filterbank(
    sample_rate: int, n_fft: int, n_mels: int, f_min_hz: float = 0.0, f_max_hz: float | None = None
) -> np.ndarray:
    """Triangular filters of unit area, evenly spaced on Slaney's mel scale (linear below 1 kHz, logarithmic above).

    Args:
        sample_rate: Hz.
        n_fft: window length in samples.
        n_mels: number of filters.
        f_min_hz, f_max_hz: lowest and highest edge; None is half the sample rate.
    Returns:
        [n_mels, n_fft // 2 + 1] float32; a filter narrower than a bin may be all zero.
    Source: Slaney, Auditory Toolbox 1998; the default of librosa and of DAC's mel loss.
    """
    edges_mel = np.linspace(_hz_to_mel(f_min_hz), _hz_to_mel(f_max_hz or sample_rate / 2), n_mels + 2)
    edges = _mel_to_hz(edges_mel)
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    slopes = edges[:, None] - bins
    widths = np.diff(edges)[:, None]
    triangles = np.maximum(0, np.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]))
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


_LINEAR_HZ = 200 / 3  # Hz per mel below the break
_BREAK_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27  # mels above the break: 27 of them from 1 kHz to 6.4 kHz


def _hz_to_mel(hz: float) -> float:
    if hz < _BREAK_HZ:
        return hz / _LINEAR_HZ
    return float(_BREAK_HZ / _LINEAR_HZ + np.log(hz / _BREAK_HZ) / _LOG_STEP)


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    break_mel = _BREAK_HZ / _LINEAR_HZ
    return np.where(mel < break_mel, mel * _LINEAR_HZ, _BREAK_HZ * np.exp(_LOG_STEP * (mel - break_mel)))


@lru_cache(maxsize=64)
def hann(n_fft: int, dtype: torch.dtype = torch.float32, device: torch.device | None = None) -> Tensor:
    """Periodic Hann window of `n_fft` samples, made once for each type and device."""
    with torch.inference_mode(False):  # kept for later calls, which may need gradients
        return torch.hann_window(n_fft, dtype=torch.float64).to(device=device, dtype=dtype)


@lru_cache(maxsize=64)
def mel_matrix(
    sample_rate: int, n_fft: int, n_mels: int, dtype: torch.dtype = torch.float32, device: torch.device | None = None
) -> Tensor:
    """`mel_filterbank` transposed to [n_fft // 2 + 1, n_mels] for `magnitudes @ matrix`, made once."""
    with torch.inference_mode(False):
        return (
            torch.from_numpy(mel_filterbank(sample_rate, n_fft, n_mels)).T.contiguous().to(device=device, dtype=dtype)
        )


def stft(wav: Tensor, n_fft: int) -> Tensor:
    """Hann-windowed spectrum, hop `n_fft // 4`, frames centred by reflection, real and imaginary parts apart.

    The numbers of `torch.stft(center=True)` in a layout that a CPU works through several times faster: whatever follows
    finds its numbers side by side, and the adjoint of the real transform is computed as a real transform.

    Args:
        wav: [N, L] with L > n_fft / 2.
        n_fft: window length in samples, a multiple of 4.
    Returns:
        [2, N, 1 + L // (n_fft // 4), n_fft // 2 + 1], real parts first.
    """
    padded = F.pad(wav[:, None], (n_fft // 2, n_fft // 2), mode="reflect")[:, 0]
    window = hann(n_fft, wav.dtype, wav.device)
    return _FramedSpectrum.apply(padded, window)


class _FramedSpectrum(torch.autograd.Function):
    """Frames at a hop of a quarter window, times the window, real Fourier transform: a linear map and its adjoint."""

    @staticmethod
    def forward(ctx: Any, padded: Tensor, window: Tensor) -> Tensor:
        n_fft = len(window)
        frames = padded.unfold(-1, n_fft, n_fft // HOPS_PER_WINDOW)
        ctx.save_for_backward(window)
        ctx.length = padded.shape[-1]
        spectrum = torch.fft.rfft(frames * window)
        return torch.stack([spectrum.real, spectrum.imag])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (window,) = ctx.saved_tensors
        n_fft = len(window)
        hop = n_fft // HOPS_PER_WINDOW
        spectrum = torch.complex(grad[0], grad[1])
        # The inverse real transform counts every inner bin twice, for its mirror image, but not the two at the ends.
        spectrum[..., 0] *= 2
        spectrum[..., -1] *= 2
        frames = torch.fft.irfft(spectrum, n=n_fft, norm="forward") * (0.5 * window)
        n, t, _ = frames.shape
        blocks = frames.view(n, t, HOPS_PER_WINDOW, hop)
        out = grad.new_zeros(n, t + HOPS_PER_WINDOW - 1, hop)
        for i in range(HOPS_PER_WINDOW):
            out[:, i : i + t] += blocks[:, :, i]
        return F.pad(out.flatten(1), (0, ctx.length - out.shape[1] * hop)), None
