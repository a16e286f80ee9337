"""Gradient estimators: small functions (rows, hard) -> rows that carry gradients through a choice of codewords.

All take rows [N, D] (the last axis is the vector) and `hard` [N, D], the codewords chosen for them, differentiable
with respect to the codebook. Every norm is a Euclidean norm over the last axis, and its gradient at zero is zero.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def straight_through(rows: Tensor, hard: Tensor) -> Tensor:
    """Forward `hard`, backward the identity to `rows`; the codebook gets nothing.

    Source: Bengio et al. 2013, arXiv:1308.3432; for codebooks van den Oord et al. 2017, arXiv:1711.00937, section 3.2.
    """
    return rows + (hard - rows).detach()


def rotate(rows: Tensor, hard: Tensor) -> Tensor:
    """Forward `hard`, backward the transposed rotation that turns and scales `rows` into `hard`.

    With u, t the unit vectors of rows and hard and w = (u + t) / |u + t|, all of them constants:
    z_q = |hard| / |rows| (rows - 2 <rows, w> w + 2 <rows, u> t). The codebook gets nothing.

    Source: Fifty et al. 2024, arXiv:2410.06424, section 4.2; deviates: for t = -u the reflection along w is left out
        (the formula divides zero by zero there), and a zero row is passed straight through.
    """
    with torch.no_grad():
        tiny = torch.finfo(rows.dtype).tiny
        length, target = _length(rows), _length(hard)
        u, t = rows / length.clamp_min(tiny), hard / target.clamp_min(tiny)
        w = u + t
        middle = _length(w)
        w = torch.where(middle > 1e-6, w / middle.clamp_min(tiny), torch.zeros_like(w))
        scale = target / length.clamp_min(tiny)
    turned = rows - 2 * _dot(rows, w) * w + 2 * _dot(rows, u) * t
    turned = torch.where(length > 0, scale * turned, rows)
    return turned + (hard - turned).detach()  # the same value up to rounding; makes it exact


def substitute_noise(rows: Tensor, hard: Tensor) -> Tensor:
    """NSVQ: the error is replaced by a random vector of its length, which is what the codebook learns from.

    Source: Vali & Bäckström 2022, "NSVQ: Noise substitution in vector quantization for machine learning", eq. 5.
    """
    noise = torch.randn_like(rows)
    return rows + _length(hard - rows) * (noise / _length(noise).clamp_min(torch.finfo(rows.dtype).tiny))


def diveq(rows: Tensor, hard: Tensor, noise: float = 0.0) -> Tensor:
    """DiVeQ: the error's length carries the gradient, its (slightly noisy) direction is a constant.

    z_q = rows + |hard - rows| sg(v / |v|), v = (hard - rows) + noise |hard - rows| / sqrt(D) randn. So with
    u = v / |v| and no noise d z_q / d rows = I - u u^T and d z_q / d hard = u u^T: the gradient is shared out.

    Args:
        rows: [N, D] latents.
        hard: [N, D] codewords chosen for them.
        noise: expected length of the noise in lengths of the error; 0 is the "detach" form.
    Returns:
        [N, D]; equal to `hard` up to noise and rounding.
    Source: Vali, Bäckström & Solin 2026, arXiv:2509.26469, eq. 8-10; deviates: noise relative to the error, because
        with an absolute one the direction is lost in late residual stages, whose errors are small.
    """
    return _DiVeQ.apply(rows, hard, noise)


class _DiVeQ(torch.autograd.Function):
    """`diveq` with its closed-form gradients: half the passes over memory that autograd's chain of operations makes."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, hard: Tensor, noise: float) -> Tensor:
        tiny = torch.finfo(rows.dtype).tiny
        error = hard - rows
        length = _length(error)
        error_norm = length.clamp_min(tiny)
        direction, norm = error, error_norm
        if noise > 0:
            direction = torch.addcmul(error, torch.randn_like(error), length, value=noise * rows.shape[-1] ** -0.5)
            norm = _length(direction).clamp_min(tiny)
        ctx.save_for_backward(error, error_norm, direction, norm)
        return torch.addcmul(rows, direction, length / norm)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        error, error_norm, direction, norm = ctx.saved_tensors
        # No unit vector is written out: d z_q / d length is direction / norm, d length / d hard is error / error_norm.
        to_hard = error * (_dot(gradient, direction) / norm / error_norm)
        return gradient - to_hard, to_hard, None


def diveq_segment(rows: Tensor, start: Tensor, end: Tensor, fraction: Tensor, noise: float = 0.0) -> Tensor:
    """SF-DiVeQ with two errors: both ends of a segment learn, each along its own direction.

    z_q = rows + |start - rows| sg((1 - fraction) v0 / |v0|) + |end - rows| sg(fraction v1 / |v1|).

    Args:
        rows: [N, D] latents.
        start, end: [N, D] codewords at both ends of the segment chosen for each row.
        fraction: [N, 1] place on the segment, 0 at `start`.
        noise: as in `diveq`, drawn for each end.
    Source: arXiv:2509.26469, eq. 12.
    """
    first, second = diveq(rows, start, noise) - rows, diveq(rows, end, noise) - rows
    return rows + (1 - fraction) * first + fraction * second


def _length(vectors: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=-1, keepdim=True)
