"""SEANet: strided waveform convolutions with dilated residual units between them; the EnCodec and DAC family.

Source: Tagliasacchi et al. 2020, arXiv:2009.02095, as in SoundStream (arXiv:2107.03312, fig. 3); Snake activations and
dilations 1, 3, 9 as in DAC (Kumar et al. 2023, arXiv:2306.06546). Deviates: every convolution is causal.
"""

from torch import Tensor, nn

from ..config.codec import SEANetConfig
from ..nn.blocks import ResidualUnit, activation
from ..nn.conv import CausalConv1d, CausalConvTranspose1d
from ..nn.stream import Chain, Delayed, Pointwise, State, Streamable


class SEANetEncoder(Streamable):
    """wav [B, C, T * hop] -> latents [B, D, T]."""

    def __init__(self, config: SEANetConfig, channels: int):
        super().__init__()
        width = config.base_channels
        layers: list[Streamable] = [CausalConv1d(channels, width, config.kernel_size)]
        for stride in config.strides:
            layers += [ResidualUnit(width, config.kernel_size, d, config.activation) for d in config.dilations]
            layers += [activation(config.activation, width), CausalConv1d(width, 2 * width, 2 * stride, stride)]
            width *= 2
        layers += [activation(config.activation, width), CausalConv1d(width, config.latent_dim, 3)]
        self.chain = Chain(layers)

    def init_state(self, like: Tensor) -> State:
        """See Streamable."""
        return self.chain.init_state(like)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """See Streamable; x holds whole frames."""
        return self.chain.step(x, state)


class SEANetDecoder(Delayed):
    """latents [B, D, T] -> wav [B, C, T * hop] in [-1, 1]; no delay."""

    def __init__(self, config: SEANetConfig, channels: int):
        super().__init__()
        width = (config.decoder_channels or config.base_channels) * 2 ** len(config.strides)
        layers: list[Streamable] = [CausalConv1d(config.latent_dim, width, config.kernel_size)]
        for stride in reversed(config.strides):
            layers += [
                activation(config.activation, width),
                CausalConvTranspose1d(width, width // 2, 2 * stride, stride),
            ]
            width //= 2
            layers += [ResidualUnit(width, config.kernel_size, d, config.activation) for d in config.dilations]
        layers += [activation(config.activation, width), CausalConv1d(width, channels, config.kernel_size)]
        self.chain = Chain([*layers, Pointwise(nn.Tanh())])

    def init_state(self, like: Tensor) -> State:
        """See Streamable."""
        return self.chain.init_state(like)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """See Streamable."""
        return self.chain.step(x, state)
