"""Frame-rate networks between a lapped complex transform and its inverse: the family of the shipped CPU models.

All convolutions run at the frame rate, on compressed complex spectra, which makes the pair an order of magnitude
cheaper than waveform convolutions. A linear path runs beside the blocks: the encoder hands the lowest MDCT lines to the
latent, the decoder puts them back. At the first step the pair is thus a plain transform codec that already carries
waveform and phase, and training improves on it instead of having to find phase from nothing.

What the codes do not carry, the phases of the upper bands, a trained decoder sets alike in frame after frame: the
sound then repeats every hop, a buzz of 50 Hz where there should be noise or voice. `scatter` turns these phases by
angles that look random but follow from the latents, so a decoder needs no random numbers and every stream sounds alike.

Source: ConvNeXt blocks and inverse transform head as in Vocos (Siuzdak 2023, arXiv:2306.00814); power-law compression
as in speech enhancement (Ephrat et al. 2018, arXiv:1804.03619, sec. 4.1). Linear path and scattered phases are ours.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..config.codec import SpectralConfig
from ..nn.blocks import ConvNeXtBlock
from ..nn.lapped import LappedAnalysis, LappedSynthesis
from ..nn.packed import packed
from ..nn.stream import Chain, Delayed, State, Streamable

LEVEL = 20.0  # brings speech at usual levels to unit-sized MDCT lines
DENORMAL = 1e-18
SCATTER = 20.0  # radians for a latent that moves by one: quiet frames, which move by a tenth, still come out unlike
FLOOR = 1e-4  # magnitude below which compression turns linear: keeps silence silent and gradients finite


def compress(spectrum: Tensor, power: float) -> tuple[Tensor, Tensor]:
    """Raise magnitudes to `power`, keep phases.

    Args:
        spectrum: [..., 2 M], real parts then imaginary parts.
        power: exponent in (0, 1].
    Returns:
        The compressed spectrum [..., 2 M] and the magnitudes before compression [..., M].
    """
    magnitude = _magnitude(spectrum)
    return _scale(spectrum, magnitude ** (power - 1)), magnitude


def expand(spectrum: Tensor, power: float) -> Tensor:
    """Inverse of `compress` on spectra well above the floor; [..., 2 M] -> [..., 2 M]."""
    return _scale(spectrum, _magnitude(spectrum) ** (1 / power - 1))


def _magnitude(spectrum: Tensor) -> Tensor:
    real, imag = spectrum.chunk(2, dim=-1)
    return torch.sqrt(real.square() + imag.square() + FLOOR**2)


def _scale(spectrum: Tensor, gain: Tensor) -> Tensor:
    """Real and imaginary parts [..., 2 M] times the gain [..., M] of their bin."""
    return (spectrum.unflatten(-1, (2, -1)) * gain.unsqueeze(-2)).flatten(-2)


def _turned(real: Tensor, imag: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Multiply by e^(i angle)."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    return real * cos - imag * sin, real * sin + imag * cos


def _project(linear: nn.Module, rows: Tensor) -> Tensor:
    """Apply `linear` to every frame [B, T, C] in full precision: the linear path carries the waveform itself."""
    with torch.autocast(rows.device.type, enabled=False):
        y: Tensor = linear(rows)
        return y


class _FrameNet(Streamable):
    """Rows [B, T, c_in] -> [B, T, c_out]: a map, ConvNeXt blocks, norm, a map; starts small beside the linear path."""

    def __init__(self, c_in: int, c_out: int, depth: int, config: SpectralConfig):
        super().__init__()
        self.input: nn.Module = nn.Linear(c_in, config.width)
        self.blocks = Chain(ConvNeXtBlock(config.width, config.kernel_size, config.expansion) for _ in range(depth))
        self.norm = nn.LayerNorm(config.width)
        output = nn.Linear(config.width, c_out)
        with torch.no_grad():
            output.weight.mul_(0.1)
            output.bias.zero_()
        self.output: nn.Module = output

    def pack_maps(self, alike: bool) -> None:
        self.input, self.output = packed(self.input, alike), packed(self.output, alike)
        for block in self.blocks.layers:
            assert isinstance(block, ConvNeXtBlock)
            block.pack_maps(alike)

    def init_state(self, like: Tensor) -> State:
        return self.blocks.init_state(like)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        x, state = self.blocks.step(self.input(x).transpose(1, 2), state)
        return self.output(self.norm(x.transpose(1, 2))), state


def _scattering(config: SpectralConfig) -> Tensor:
    """A fixed map [M, D] from latents to an angle in radians for each bin; neighbours of a group share theirs."""
    bins, group = config.hop_length, config.scatter_bins
    angles = SCATTER * torch.randn(-(-bins // group), config.latent_dim).repeat_interleave(group, dim=0)[:bins]
    angles[: round((config.scatter or 0.0) * bins)] = 0
    return angles


class SpectralEncoder(Streamable):
    """wav [B, 1, T * hop] -> latents [B, D, T]."""

    def __init__(self, config: SpectralConfig):
        super().__init__()
        self.power, bins = config.compression, config.hop_length
        self.analysis = LappedAnalysis(bins)
        self.net = _FrameNet(3 * bins, config.latent_dim, config.encoder_depth, config)
        linear = nn.Linear(bins, config.latent_dim, bias=False)
        with torch.no_grad():
            linear.weight.copy_(torch.eye(config.latent_dim, bins))
        self.linear: nn.Module = linear

    def pack(self) -> bool:
        """See Streamable; frames then come out alike in any company."""
        self.analysis.pack_maps()
        self.net.pack_maps(alike=True)
        self.linear = packed(self.linear, alike=True)
        return True

    def init_state(self, like: Tensor) -> State:
        """See Streamable."""
        return self.analysis.init_state(like), self.net.init_state(like)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """See Streamable; x holds whole frames."""
        # Adding and taking away DENORMAL turns what is nearer to zero into zero: arithmetic on numbers below 1e-38 is
        # up to a hundred times slower, and recordings that fade out contain them.
        spectrum, analysis = self.analysis.step(x * LEVEL + DENORMAL - DENORMAL, state[0])
        rows = spectrum.transpose(1, 2)
        compressed, magnitude = compress(rows, self.power)
        features = torch.cat([compressed, 0.3 * torch.log(magnitude + 1e-2)], dim=-1)
        z, net = self.net.step(features, state[1])
        real = rows.chunk(2, dim=-1)[0]
        lines = real * (real.abs() + FLOOR) ** (self.power - 1)  # an MDCT line compressed by its own size
        return (z.to(lines) + _project(self.linear, lines)).transpose(1, 2), (analysis, net)


class SpectralDecoder(Delayed):
    """latents [B, D, T] -> wav [B, 1, T * hop], lagging by `delay` = one hop."""

    scatter: Tensor | None  # [M, D] radians

    def __init__(self, config: SpectralConfig):
        super().__init__()
        self.power, bins = config.compression, config.hop_length
        self.net = _FrameNet(config.latent_dim, 2 * bins, config.decoder_depth, config)
        linear = nn.Linear(config.latent_dim, bins, bias=False)
        self.register_buffer("scatter", None if config.scatter is None else _scattering(config))
        self.synthesis = LappedSynthesis(bins)
        self.delay = self.synthesis.delay  # samples
        with torch.no_grad():
            linear.weight.copy_(torch.eye(bins, config.latent_dim))
        self.linear: nn.Module = linear

    def pack(self) -> bool:
        """See Streamable."""
        self.net.pack_maps(alike=False)
        self.linear = packed(self.linear, alike=False)
        self.synthesis.pack_maps()
        return True

    def init_state(self, like: Tensor) -> State:
        """See Streamable."""
        return self.net.init_state(like), self.synthesis.init_state(like)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """See Streamable."""
        rows = x.transpose(1, 2)
        spectrum, net = self.net.step(rows, state[0])
        real, imag = spectrum.to(x).chunk(2, dim=-1)
        if self.scatter is not None:
            real, imag = _turned(real, imag, self._angles(rows))
        spectrum = torch.cat([real + _project(self.linear, rows), imag], dim=-1)
        wav, synthesis = self.synthesis.step(expand(spectrum, self.power).transpose(1, 2), state[1])
        return wav / LEVEL, (net, synthesis)

    def _angles(self, rows: Tensor) -> Tensor:
        """By how much every bin of [B, T, M] is turned."""
        assert self.scatter is not None
        with torch.autocast(rows.device.type, enabled=False):  # in half precision large angles mean nothing
            return functional.linear(rows, self.scatter)
