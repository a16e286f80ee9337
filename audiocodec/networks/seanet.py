"""SEANet: strided waveform convolutions with dilated residual units between them; the EnCodec and DAC family.

Source: Tagliasacchi et al. 2020, arXiv:2009.02095, as in SoundStream (arXiv:2107.03312, fig. 3); Snake activations and
dilations 1, 3, 9 as in DAC (Kumar et al. 2023, arXiv:2306.06546). Deviates: every convolution is causal; weights start
so that signals keep their power from layer to layer, where others rely on weight normalization.
"""

import math

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
        keep_power(self)

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
        keep_power(self)

    def init_state(self, like: Tensor) -> State:
        """See Streamable."""
        return self.chain.init_state(like)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """See Streamable."""
        return self.chain.step(x, state)


def keep_power(module: nn.Module) -> None:
    """Start every convolution with zero bias and weights that give outputs the power of the inputs.

    PyTorch's default shrinks a signal threefold in power at each layer: after the dozen of an encoder latents are all
    but constant, and a run spends its first hundreds of steps on finding the signal again. Residual branches start with
    a tenth of the power of what they are added to.

    Source: LeCun et al. 1998, Efficient BackProp, sec. 4.6 (variance 1 / inputs that meet in an output).
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
            inputs = layer.in_channels // layer.groups * layer.kernel_size[0]
            if isinstance(layer, nn.ConvTranspose1d):
                inputs //= layer.stride[0]
            branch = layer.kernel_size[0] == 1  # only the last convolution of a residual unit
            nn.init.normal_(layer.weight, 0.0, math.sqrt((0.1 if branch else 1.0) / inputs))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
