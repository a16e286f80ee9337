"""Causal convolutions with explicit state: the zeros that start a stream are also the causal padding."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .stream import State, Streamable


class CausalConv1d(Streamable):
    """Convolution that looks only back: x [B, C_in, L] -> [B, C_out, L / stride]; L a multiple of stride."""

    def __init__(self, c_in: int, c_out: int, kernel_size: int, stride: int = 1, dilation: int = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv1d(c_in, c_out, kernel_size, stride, dilation=dilation, groups=groups)
        self.depthwise = groups == c_in == c_out and stride == 1
        self.context = (kernel_size - 1) * dilation + 1 - stride  # samples remembered between steps
        if self.context < 0:
            raise ValueError(f"kernel_size {kernel_size} (dilation {dilation}) must reach over the stride {stride}")

    def init_state(self, like: Tensor) -> State:
        """Zeros [B, C_in, context]."""
        return like.new_zeros(len(like), self.conv.in_channels, self.context)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """See Streamable."""
        if self.depthwise and x.device.type == "cpu" and not torch.is_grad_enabled():
            rows = torch.cat([state.transpose(1, 2), x.transpose(1, 2)], dim=1)
            return _depthwise(rows, self.conv).transpose(1, 2), rows[:, rows.shape[1] - self.context :].transpose(1, 2)
        x = torch.cat([state, x], dim=-1)
        return self.conv(x), x[..., x.shape[-1] - self.context :]


def _depthwise(rows: Tensor, conv: nn.Conv1d) -> Tensor:
    """`conv` over rows [B, T, C]: a sum over taps, one row as many; several times as fast as torch's on a CPU.

    Products and sums stay apart and in one order, so that a row alone comes out as it does among others, bit for bit.
    """
    weight = conv.weight[:, 0].t()  # [taps, C]
    taps, dilation = len(weight), conv.dilation[0]
    length = rows.shape[1] - (taps - 1) * dilation
    if length == 1:
        y = (rows[:, ::dilation] * weight).sum(dim=1, keepdim=True)
    else:
        y = rows[:, :length] * weight[0]
        for tap in range(1, taps):
            y += rows[:, tap * dilation : tap * dilation + length] * weight[tap]
    return y if conv.bias is None else y + conv.bias


class CausalConvTranspose1d(Streamable):
    """Up-sampling whose every output sample depends on past input only: [B, C_in, T] -> [B, C_out, T * stride].

    The kernel is longer than the stride, so each step leaves a tail that the next one adds to.
    """

    def __init__(self, c_in: int, c_out: int, kernel_size: int, stride: int):
        super().__init__()
        self.conv = nn.ConvTranspose1d(c_in, c_out, kernel_size, stride)
        self.stride = stride
        self.tail = kernel_size - stride  # samples that the next step completes
        if self.tail < 0:
            raise ValueError(f"kernel_size {kernel_size} must reach over the stride {stride}")

    def init_state(self, like: Tensor) -> State:
        """Zeros [B, C_out, tail]."""
        return like.new_zeros(len(like), self.conv.out_channels, self.tail)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """See Streamable."""
        weight = self.conv.weight
        y = functional.conv_transpose1d(x, weight, None, self.stride)  # bias last: the overlap must not add it twice
        y = torch.cat([y[..., : self.tail] + state, y[..., self.tail :]], dim=-1)
        whole = x.shape[-1] * self.stride
        bias = self.conv.bias
        return y[..., :whole] + (0 if bias is None else bias[:, None]), y[..., whole:]
