"""The modulated complex lapped transform: a causal, half-overlapped STFT at odd frequencies with exact inverse.

Its real part is the MDCT, its imaginary part the MDST, so one frame of M complex numbers stands for M new samples, and
the real part alone restores the signal. A network between the transform and its inverse can therefore start as
(nearly) the identity and still work on complex spectra with magnitude and phase.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from .packed import PackedLinear
from .stream import Delayed, State, Streamable


def _basis(hop_length: int) -> Tensor:
    """Window times cosine and minus sine basis: [2 M, 2 M] float64, the first M columns MDCT, the others MDST."""
    n = torch.arange(2 * hop_length, dtype=torch.float64) + 0.5
    k = torch.arange(hop_length, dtype=torch.float64) + 0.5
    window = torch.sin(math.pi / (2 * hop_length) * n) * math.sqrt(2 / hop_length)
    phase = math.pi / hop_length * (n + hop_length / 2)[:, None] * k
    return window[:, None] * torch.cat([phase.cos(), phase.sin()], dim=1)


class LappedAnalysis(Streamable):
    """wav [B, 1, T * M] -> real and imaginary parts [B, 2 M, T]; frame t sees samples (t-1) M to (t+1) M.

    Source: Malvar 1999, "A modulated complex lapped transform and its applications to audio processing", ICASSP.
    """

    basis: Tensor

    def __init__(self, hop_length: int):
        super().__init__()
        self.hop_length = hop_length
        # Not persistent: it is a function of hop_length, and weights files should hold only what was learned.
        self.register_buffer("basis", _basis(hop_length).float(), persistent=False)
        self.packed: PackedLinear | None = None

    def pack_maps(self) -> None:
        """Make ready for inference on a CPU in float32: see PackedLinear."""
        self.packed = PackedLinear(self.basis.t())

    def init_state(self, like: Tensor) -> State:
        """Zeros [B, 1, M]: the half window before the first sample."""
        return like.new_zeros(len(like), 1, self.hop_length)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """See Streamable; x holds whole frames."""
        x = torch.cat([state, x], dim=-1)
        frames = x[:, 0].unfold(-1, 2 * self.hop_length, self.hop_length)
        if self.packed is not None:
            spectrum = self.packed(frames.contiguous())
        else:
            with torch.autocast(x.device.type, enabled=False):  # samples keep their full precision
                spectrum = functional.linear(frames.to(self.basis), self.basis.t())  # one product, not one an item
        return spectrum.transpose(1, 2), x[..., -self.hop_length :]


class LappedSynthesis(Delayed):
    """Inverse of LappedAnalysis, one frame late: [B, 2 M, T] -> [B, 1, T * M].

    Frame t completes samples (t-1) M to t M, so the output lags the analysed signal by `delay` = M samples. From an
    unchanged spectrum's real part with imaginary part zero the signal is restored exactly (TDAC); whatever a network
    adds in the imaginary part comes on top.
    """

    basis: Tensor

    def __init__(self, hop_length: int):
        super().__init__()
        self.hop_length = hop_length
        self.delay = hop_length  # samples
        self.register_buffer("basis", _basis(hop_length).float(), persistent=False)
        self.packed: PackedLinear | None = None

    def pack_maps(self) -> None:
        """Make ready for inference on a CPU in float32: see PackedLinear."""
        self.packed = PackedLinear(self.basis, alike=False)

    def init_state(self, like: Tensor) -> State:
        """Zeros [B, 1, M]: the second half of the frame before."""
        return like.new_zeros(len(like), 1, self.hop_length)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """See Streamable."""
        if self.packed is not None:
            halves = self.packed(x.transpose(1, 2).contiguous())
        else:
            with torch.autocast(x.device.type, enabled=False):
                halves = x.transpose(1, 2).to(self.basis) @ self.basis.T  # [B, T, 2 M]
        first, second = halves.chunk(2, dim=-1)
        before = torch.cat([state, second[:, :-1]], dim=1)
        return (first + before).flatten(1)[:, None], second[:, -1:]
