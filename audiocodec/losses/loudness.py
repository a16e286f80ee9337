"""Loudness disturbance: what PESQ measures, made smooth enough to train on."""

import numpy as np
import torch
from torch import Tensor

N_BANDS = 49  # about half a Bark each
_ACTIVE_POWER = 1e7  # P.862 brings every signal to this power before it listens
_QUIETEST = 1e-4  # mean square below which a crop is a pause and is not raised further (-40 dB of full scale)
_EXPONENT = 0.23  # of loudness over power (Zwicker)
_MASKED = 0.25  # share of the quieter loudness below which a difference is masked
_LEAK = 0.05  # slope kept inside the mask, so that small errors still have a gradient
_ADDED = (1.2, 3.0, 12.0)  # asymmetry: exponent of the power ratio, least and highest value that count
_WEIGHTS = (0.5, 0.15)  # of symmetric and asymmetric disturbance, about the proportion of P.862


class Loudness:
    """Mean disturbance between the loudness patterns of decoded and original audio.

    Power in Bark bands, P, becomes loudness S = (P0/.5)^.23 max((.5 + .5 P/P0)^.23 - 1, 0) over the threshold of
    hearing P0.
    Differences below a quarter of the quieter loudness are masked. Energy that the codec added counts again, times
    ((P_x + 50) / (P_y + 50))^1.2, as it is heard as a sound of its own.

    Args:
        sample_rate: Hz.
        window: samples; P.862 uses 32 ms.
    Source: ITU-T P.862 (2001), sections 10.2.4 to 10.2.9; bands after Traunmueller 1990, JASA 88(1), eq. 6; threshold
        after Terhardt 1979, Hearing Research 1, eq. 1. Deviates: means over time and bands instead of P.862's norms,
        no equalisation of gain and frequency response, so that the level and the colour of a voice are learned too.
    """

    def __init__(self, sample_rate: int, window: int):
        self.window = window
        edges = np.linspace(_bark(20.0), _bark(sample_rate / 2), N_BANDS + 1)
        centres, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
        bins = _bark(np.maximum(np.fft.rfftfreq(window, 1 / sample_rate), 1.0))
        bands = np.clip(1 - np.abs(bins[:, None] - centres) / width, 0, None)  # [F, N_BANDS] triangles
        nearest = np.abs(bins[:, None] - centres).argmin(axis=0)
        bands[nearest, np.arange(N_BANDS)] = np.maximum(bands[nearest, np.arange(N_BANDS)], 0.3)  # none is empty
        khz = 1.96 * (centres + 0.53) / (26.28 - centres)
        threshold_db = 3.64 * khz**-0.8 - 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4
        self.bands = torch.tensor(bands, dtype=torch.float32)
        self.threshold = torch.tensor(10 ** (threshold_db / 10), dtype=torch.float32)

    def __call__(self, x: Tensor, y: Tensor, power: Tensor) -> Tensor:
        """Compare.

        Args:
            x, y: [2, N, T, F] Hann-windowed spectra of decoded and original audio.
            power: [N] mean square of the original samples; both signals are levelled by it.
        Returns:
            scalar.
        """
        bands, threshold = self.bands.to(x), self.threshold.to(x)
        unit = 16 / (3 * self.window**2) * _ACTIVE_POWER  # a Hann window of w samples has mean square 3/8
        level = (unit / power.clamp(min=_QUIETEST))[:, None, None]
        x_power, y_power = ((s.square().sum(0) * level) @ bands for s in (x, y))
        x_loud, y_loud = (_loudness(p, threshold) for p in (x_power, y_power))
        difference = (x_loud - y_loud).abs()
        heard = (difference - _MASKED * torch.minimum(x_loud, y_loud)).relu() + _LEAK * difference
        exponent, least, most = _ADDED
        added = ((x_power.detach() + 50) / (y_power + 50)) ** exponent
        added = torch.where(added < least, torch.zeros_like(added), added.clamp(max=most))
        symmetric = (heard.square().mean(-1) + 1e-6).sqrt().mean()
        return _WEIGHTS[0] * symmetric + _WEIGHTS[1] * (heard * added).mean()


def _bark(hz: float | np.ndarray) -> np.ndarray:
    return np.asarray(26.81 * hz / (1960 + hz) - 0.53)


def _loudness(power: Tensor, threshold: Tensor) -> Tensor:
    above = (0.5 + 0.5 * power / threshold) ** _EXPONENT - 1
    return (threshold / 0.5) ** _EXPONENT * above.relu()  # what lies below the threshold is not heard at all
