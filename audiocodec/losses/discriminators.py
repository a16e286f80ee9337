"""Discriminators: networks that tell decoded from original audio, by period and by short-time spectrum."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from ..audio.spectral import stft
from ..config.training import DiscriminatorConfig
from .spectral import compressed, energy_of

Features = list[list[Tensor]]  # [discriminator][layer], the last layer of each is its judgement

_SLOPE = 0.1  # of the leaky rectifiers
_BANDS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)  # edges, as shares of half the sample rate


class Discriminators(nn.Module):
    """All discriminators of a run side by side: one for each period, one for each STFT window.

    Args:
        config: periods, windows and widths; an empty list leaves that family out.
        channels: C of the audio; they are judged together, so that a false stereo image can be heard.
    """

    def __init__(self, config: DiscriminatorConfig, channels: int = 1):
        super().__init__()
        self.members = nn.ModuleList(
            [
                *(PeriodDiscriminator(period, config.period_channels, channels) for period in config.periods),
                *(
                    STFTDiscriminator(window, config.stft_channels, channels, config.stft_power)
                    for window in config.stft_windows
                ),
            ]
        )

    def forward(self, wav: Tensor) -> Features:
        """Judge audio.

        Args:
            wav: [B, C, L] samples; L more than half the longest window.
        Returns:
            for each discriminator the outputs of its layers, items first; the last one is its judgement.
        """
        return [member(wav) for member in self.members]


class PeriodDiscriminator(nn.Module):
    """Sees every `period`-th sample: the audio folded to a picture of `period` columns, convolved along time.

    Args:
        period: samples.
        widths: channels of the layers; all but the last divide the time axis by 3.
        channels: C of the audio.
    Source: HiFi-GAN, Kong et al. 2020, arXiv:2010.05646, sec. 2.3; widths are a setting.
    """

    def __init__(self, period: int, widths: Sequence[int] = (32, 128, 512, 1024, 1024), channels: int = 1):
        super().__init__()
        self.period = period
        strides = [3] * (len(widths) - 1) + [1]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(c_in, c_out, (5, 1), (stride, 1), (2, 0)))
            for c_in, c_out, stride in zip((channels, *widths), widths, strides, strict=False)
        )
        self.judge = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), 1, (1, 0)))

    def forward(self, wav: Tensor) -> list[Tensor]:
        """wav [B, C, L] -> outputs of the layers, each [B, width, time, period]."""
        wav = F.pad(wav, (0, -wav.shape[-1] % self.period), mode="reflect")
        x = wav.unflatten(-1, (-1, self.period))
        return _layer_outputs(self.layers, self.judge, x)


class STFTDiscriminator(nn.Module):
    """Sees real and imaginary parts of a spectrum, cut into five frequency bands with their own layers.

    Args:
        window: samples; the hop is a quarter.
        width: channels of every layer.
        channels: C of the audio.
        power: magnitudes are raised to it. Below 1, as in the loss term `complex`, quiet upper bands weigh more nearly
            as they are heard, and small networks learn of them too; 1: the spectrum as it is, as in DAC.
    Source: DAC, Kumar et al. 2023, arXiv:2306.06546, sec. 3.3 (multi-scale, multi-band complex STFT discriminator).
    """

    def __init__(self, window: int, width: int = 32, channels: int = 1, power: float = 1.0):
        super().__init__()
        self.window, self.power = window, power
        bins = window // 2 + 1
        self.edges = [(int(low * bins), int(high * bins)) for low, high in pairwise(_BANDS)]
        self.bands = nn.ModuleList(self._band_layers(2 * channels, width) for _ in self.edges)
        self.judge = weight_norm(nn.Conv2d(width, 1, (3, 3), 1, (1, 1)))

    @staticmethod
    def _band_layers(c_in: int, width: int) -> nn.ModuleList:
        first = nn.Conv2d(c_in, width, (3, 9), 1, (1, 4))
        halving = [nn.Conv2d(width, width, (3, 9), (1, 2), (1, 4)) for _ in range(3)]
        last = nn.Conv2d(width, width, (3, 3), 1, (1, 1))
        return nn.ModuleList(weight_norm(layer) for layer in (first, *halving, last))

    def forward(self, wav: Tensor) -> list[Tensor]:
        """wav [B, C, L] -> outputs of the layers of all bands, each [B, width, frames, bins], and the judgement."""
        with torch.autocast(wav.device.type, enabled=False):  # spectra in half precision lose their quiet bins
            spectrum = stft(wav.float().flatten(0, 1), self.window)
            if self.power < 1:
                spectrum = compressed(spectrum, energy_of(spectrum), self.window, self.power)
            spectrum = spectrum.unflatten(1, wav.shape[:2])
        picture = spectrum.permute(1, 2, 0, 3, 4).flatten(1, 2)  # [B, C * 2, frames, bins]
        outputs, tops = [], []
        for (low, high), layers in zip(self.edges, self.bands, strict=True):
            x = picture[..., low:high]
            for layer in layers:  # type: ignore[attr-defined]
                x = F.leaky_relu(layer(x), _SLOPE)
                outputs.append(x)
            tops.append(x)
        return [*outputs, self.judge(torch.cat(tops, dim=-1))]


def _layer_outputs(layers: nn.ModuleList, judge: nn.Module, x: Tensor) -> list[Tensor]:
    outputs = []
    for layer in layers:
        x = F.leaky_relu(layer(x), _SLOPE)
        outputs.append(x)
    return [*outputs, judge(x)]
