"""Reconstruction losses on short-time spectra and samples; all terms of one window length share one transform."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..audio.spectral import mel_matrix, stft
from ..config.training import LossConfig
from .intelligibility import Intelligibility
from .loudness import Loudness

_MAGNITUDE_EPS = 1e-12  # under the root, so that its gradient stays finite at zero
_COMPRESSION_EPS = 1e-6  # power below which compression turns linear; about -60 dB of a full-scale window
_TARGET_FLOOR = 1e-3  # mean magnitude below which a target counts as silence in relative terms


class ReconstructionLoss(nn.Module):
    """All reconstruction terms of non-zero weight between decoded and original audio.

    With X, Y the Hann-windowed spectra of decoded and original audio at one window length w (hop w / 4), M the mel
    filterbank, f the configured floor (DAC: 1e-5), m a mean over items, frames and bins, and every term summed over its
    window lengths:

        mel          m |log10 max(M|X|, f) - log10 max(M|Y|, f)|
        stft_log     m |log10 max(|X|, f)^2 - log10 max(|Y|, f)^2|
        stft_linear  mean over items of m |(|X| - |Y|)| / m |Y|
        complex      m ||X|^p e^(j arg X) - |Y|^p e^(j arg Y)|, L1 or L2 over real and imaginary parts, X and Y scaled
                     to a window of unit energy
        loudness     see loudness.py
        intelligibility  see intelligibility.py; at the window of loudness
        waveform     mean over items of m |x - y| / m |y|

    Source: mel and stft_log: DAC, Kumar et al. 2023, arXiv:2306.06546, sec. 3.4; compressed complex spectrum: Ephrat
    et al. 2018, arXiv:1804.03619, eq. 1, p = 0.3; relative waveform L1 in place of EnCodec's plain one
    (arXiv:2210.13438, sec. 3.4), so that quiet speakers count.
    """

    def __init__(self, config: LossConfig, sample_rate: int):
        super().__init__()
        self.config, self.sample_rate = config, sample_rate
        self.bins = dict(zip(config.mel_windows, config.mel_bins, strict=True)) if config.mel else {}
        self.stft_windows = set(config.stft_windows) if config.stft_log or config.stft_linear else set()
        self.complex_windows = set(config.complex_windows) if config.complex else set()
        self.loudness = Loudness(sample_rate, config.loudness_window) if config.loudness else None
        self.intelligibility = Intelligibility(sample_rate, config.loudness_window) if config.intelligibility else None
        heard = {config.loudness_window} if self.loudness or self.intelligibility else set()
        self.windows = sorted({*self.bins, *self.stft_windows, *self.complex_windows, *heard})

    def forward(self, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        """Compare decoded with original audio.

        Args:
            fake, real: [B, C, L] decoded and original samples; L more than half the longest window.
        Returns:
            term name -> scalar, unweighted; only terms of non-zero weight.
        """
        x, y = fake.float().flatten(0, 1), real.float().flatten(0, 1)
        sums: dict[str, Tensor] = {}
        if self.config.waveform:
            sums["waveform"] = _relative_l1(x, y)
        for window in self.windows:
            with torch.no_grad():
                target = stft(y, window)
            spectrum = stft(x, window)
            terms = self._terms(spectrum, target, window)
            if self.loudness and window == self.loudness.window:
                terms["loudness"] = self.loudness(spectrum, target, y.square().mean(-1))
            if self.intelligibility and window == self.intelligibility.window:
                terms["intelligibility"] = self.intelligibility(spectrum, target)
            for name, value in terms.items():
                sums[name] = sums[name] + value if name in sums else value
        return sums

    def _terms(self, x: Tensor, y: Tensor, window: int) -> dict[str, Tensor]:
        """The terms at one window length; x, y [2, N, T, F]."""
        config, out = self.config, {}
        x_energy, y_energy = energy_of(x), energy_of(y)
        if window in self.bins or window in self.stft_windows:
            x_mag, y_mag = (x_energy + _MAGNITUDE_EPS).sqrt(), (y_energy + _MAGNITUDE_EPS).sqrt()
            if window in self.bins:
                mel = mel_matrix(self.sample_rate, window, self.bins[window], x.dtype, x.device)
                out["mel"] = (self._log(x_mag @ mel) - self._log(y_mag @ mel)).abs().mean()
            if window in self.stft_windows and config.stft_log:
                out["stft_log"] = 2 * (self._log(x_mag) - self._log(y_mag)).abs().mean()
            if window in self.stft_windows and config.stft_linear:
                out["stft_linear"] = _relative_l1(x_mag, y_mag)
        if window in self.complex_windows:
            power = config.complex_power
            difference = compressed(x, x_energy, window, power) - compressed(y, y_energy, window, power)
            out["complex"] = difference.abs().mean() if config.complex_norm == "l1" else difference.square().mean()
        return out

    def _log(self, magnitude: Tensor) -> Tensor:
        return magnitude.clamp(min=self.config.log_floor).log10()


class MultiScaleMel(nn.Module):
    """Log-mel L1 distance over several window lengths, as DAC trains it; `ReconstructionLoss` with this term alone.

    Args:
        sample_rate: Hz.
        windows: window lengths in samples, powers of two.
        bins: mel bands, one number for each window.
    """

    def __init__(
        self,
        sample_rate: int,
        windows: Sequence[int] = (32, 64, 128, 256, 512, 1024, 2048),
        bins: Sequence[int] = (5, 10, 20, 40, 80, 160, 320),
    ):
        super().__init__()
        config = LossConfig(mel=1.0, mel_windows=tuple(windows), mel_bins=tuple(bins))
        self.loss = ReconstructionLoss(config, sample_rate)

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """fake, real [B, C, L] -> scalar."""
        return self.loss(fake, real)["mel"]


class MultiScaleSTFT(nn.Module):
    """Log-magnitude plus relative linear-magnitude L1 over several window lengths.

    Args:
        windows: window lengths in samples, powers of two.
    """

    def __init__(self, windows: Sequence[int] = (512, 2048)):
        super().__init__()
        # The sample rate only places mel bands, of which there are none here.
        config = LossConfig(mel=0.0, stft_log=1.0, stft_linear=1.0, stft_windows=tuple(windows))
        self.loss = ReconstructionLoss(config, sample_rate=1)

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """fake, real [B, C, L] -> scalar."""
        terms = self.loss(fake, real)
        return terms["stft_log"] + terms["stft_linear"]


def energy_of(spectrum: Tensor) -> Tensor:
    """|S|^2 of a spectrum [2, ...], real and imaginary parts."""
    re, im = spectrum.unbind(0)
    return torch.addcmul(re * re, im, im)


def compressed(spectrum: Tensor, energy: Tensor, window: int, power: float) -> Tensor:
    """|S|^p e^(j arg S) of a spectrum [2, N, T, F] of known energy, linear where |S| is tiny."""
    unit_energy = 8 / (3 * window)  # a Hann window of w samples has energy 3 w / 8
    # (u^2 |S|^2 + eps)^((p - 1) / 2) u as exp(log): a power costs three times as much
    exponent = (energy * unit_energy + _COMPRESSION_EPS).log() * ((power - 1) / 2) + 0.5 * math.log(unit_energy)
    return spectrum * exponent.exp()


def _relative_l1(x: Tensor, y: Tensor) -> Tensor:
    """Mean over items of |x - y| relative to |y|; each item stands alone, so that splitting a batch changes nothing."""
    difference = (x - y).abs().flatten(1).mean(1)
    return (difference / y.abs().flatten(1).mean(1).clamp(min=_TARGET_FLOOR)).mean()
