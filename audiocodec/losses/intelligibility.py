"""Intelligibility: what STOI measures, on the spectra that the other losses use, to train on."""

import numpy as np
import torch
from torch import Tensor

from ..audio.spectral import HOPS_PER_WINDOW

N_BANDS = 15
_LOWEST_HZ = 150.0  # centre of the lowest third-octave band
_SEGMENT_S = 0.384  # length of speech over which envelopes are compared
_CLIP = 1 + 10 ** (15 / 20)  # decoded envelopes count up to 15 dB over the original: -15 dB of signal to distortion
_PAUSE = 1e-4  # energy of a segment, relative to the loudest one of its item, below which it is a pause (-40 dB)


class Intelligibility:
    """1 - STOI: how far the third-octave envelopes of decoded and original audio are from correlated.

    Envelopes (roots of band energies) over 384 ms are brought to the energy of the original's, clipped at 15 dB above
    it, and correlated; the mean over bands and segments counts. Gain does not matter, so another term has to hold it.

    Args:
        sample_rate: Hz.
        window: samples; STOI uses 25.6 ms.
    Source: Taal et al. 2011, "An algorithm for intelligibility prediction of time-frequency weighted noisy speech",
        IEEE TASLP 19(7), eq. 1-5. Deviates: the rate, window and hop of the caller's spectra instead of 10 kHz; pauses
        are left out by segment, not cut out by frame.
    """

    def __init__(self, sample_rate: int, window: int):
        self.window = window
        frequencies = np.fft.rfftfreq(window, 1 / sample_rate)
        centres = _LOWEST_HZ * 2 ** (np.arange(N_BANDS) / 3)
        low, high = centres * 2 ** (-1 / 6), centres * 2 ** (1 / 6)
        bands = (frequencies[:, None] >= low) & (frequencies[:, None] < high)
        self.bands = torch.tensor(bands[:, bands.any(axis=0)], dtype=torch.float32)  # [F, bands that hold a bin]
        self.frames = round(_SEGMENT_S * sample_rate / (window // HOPS_PER_WINDOW))

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Compare.

        Args:
            x, y: [2, N, T, F] Hann-windowed spectra of decoded and original audio, real and imaginary parts.
        Returns:
            scalar in [0, 2]; 0 where nothing but pauses, or less than one segment, is there.
        """
        bands = self.bands.to(x)
        frames = min(self.frames, x.shape[2])
        x_band, y_band = ((s.square().sum(0) @ bands + 1e-10).sqrt() for s in (x, y))
        # [N, segments, bands, frames], a segment every eighth of its length
        x_seg, y_seg = (e.unfold(1, frames, max(frames // 8, 1)) for e in (x_band, y_band))
        energy = y_seg.square().sum((2, 3))
        spoken = (energy > _PAUSE * energy.amax(1, keepdim=True)) & (energy > 1e-6)
        gain = (y_seg.square().sum(-1, keepdim=True) / x_seg.square().sum(-1, keepdim=True)).sqrt()
        clipped = torch.minimum(gain * x_seg, _CLIP * y_seg)
        correlation = (_unit(clipped) * _unit(y_seg)).sum(-1).mean(-1)  # [N, segments]
        return ((1 - correlation) * spoken).sum() / spoken.sum().clamp(min=1)


def _unit(envelopes: Tensor) -> Tensor:
    """Envelopes [..., frames] without their mean, of length 1."""
    centred = envelopes - envelopes.mean(-1, keepdim=True)
    return centred / (centred.square().sum(-1, keepdim=True) + 1e-8).sqrt()
