"""The two building blocks of our networks: ConvNeXt for frame-rate networks, dilated residual units for waveforms."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .conv import CausalConv1d
from .packed import PackedLinear
from .stream import Chain, Pointwise, State, Streamable


class Snake(nn.Module):
    """x + sin^2(a x) / a with one learned frequency a per channel; x [B, C, L].

    Source: Ziyin et al. 2020, arXiv:2006.08195, eq. 3, as used by BigVGAN and DAC.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.frequency = nn.Parameter(torch.ones(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, L] -> [B, C, L]."""
        return x + torch.sin(self.frequency * x).square() / (self.frequency + 1e-9)


def activation(kind: str, channels: int) -> Streamable:
    """Build the named activation, "elu" or "snake", as a Streamable."""
    return Pointwise(nn.ELU() if kind == "elu" else Snake(channels))


class ConvNeXtBlock(Streamable):
    """x [B, W, T] -> x + scale * mlp(norm(depthwise(x))), causal in time.

    Source: Liu et al. 2022, arXiv:2201.03545, fig. 4; in one dimension as in Vocos, Siuzdak 2023, arXiv:2306.00814.
    """

    def __init__(self, width: int, kernel_size: int = 7, expansion: int = 3, scale: float = 0.1):
        super().__init__()
        self.depthwise = CausalConv1d(width, width, kernel_size, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, width * expansion)
        self.down = nn.Linear(width * expansion, width)
        self.scale = nn.Parameter(torch.full((width,), scale))
        self.packed: tuple[PackedLinear, PackedLinear] | None = None

    def pack_maps(self, alike: bool) -> None:
        """Make ready for inference on a CPU in float32: see PackedLinear; the scale goes into the last map."""
        down, scale = self.down, self.scale
        self.packed = (
            PackedLinear(self.up.weight, self.up.bias, True, alike),
            PackedLinear(down.weight * scale[:, None], down.bias * scale, False, alike),
        )

    def init_state(self, like: Tensor) -> State:
        """See Streamable."""
        return self.depthwise.init_state(like)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """See Streamable."""
        y, state = self.depthwise.step(x, state)
        rows, y = x.transpose(1, 2), self.norm(y.transpose(1, 2))
        if self.packed is None:
            rows = rows + self.scale * self.down(functional.gelu(self.up(y)))
        else:
            up, down = self.packed
            rows = down(up(y), rows)
        return rows.transpose(1, 2), state


class ResidualUnit(Streamable):
    """x + conv1x1(act(conv_dilated(act(x)))), causal; x [B, C, L].

    Source: SoundStream, Zeghidour et al. 2021, arXiv:2107.03312, fig. 3; activations before convolutions as in DAC.
    """

    def __init__(self, channels: int, kernel_size: int, dilation: int, act: str):
        super().__init__()
        self.body = Chain(
            [
                activation(act, channels),
                CausalConv1d(channels, channels, kernel_size, dilation=dilation),
                activation(act, channels),
                CausalConv1d(channels, channels, 1),
            ]
        )

    def init_state(self, like: Tensor) -> State:
        """See Streamable."""
        return self.body.init_state(like)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """See Streamable."""
        y, state = self.body.step(x, state)
        return x + y, state
