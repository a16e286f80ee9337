"""The methods that are one codebook and one estimator: DiVeQ, STE, rotation trick, NSVQ."""

from typing import Any
from warnings import warn

from torch import Tensor

from .estimators import diveq, rotate, straight_through, substitute_noise
from .vector import VectorQuantizer


class DiVeQ(VectorQuantizer):
    """Differentiable vector quantization: the task's gradient is shared between latent and codeword.

    Args:
        codebook_size, dim: see VectorQuantizer; with `dim` below 4 little gradient is left for the encoder.
        noise: length of the training noise in lengths of the error.
        options: see VectorQuantizer.
    Source: Vali, Bäckström & Solin 2026, arXiv:2509.26469, eq. 8-10; see `estimators.diveq`.
    """

    def __init__(self, codebook_size: int, dim: int, *, noise: float = 0.02, **options: Any):
        super().__init__(codebook_size, dim, **options)
        warn_if_starving(dim)
        self.noise = noise

    def estimate(self, rows: Tensor, hard: Tensor) -> Tensor:
        return diveq(rows, hard, self.noise)


class DiVeQDetach(DiVeQ):
    """DiVeQ without noise: training sees exactly the deployed codewords. Source: see DiVeQ."""

    def __init__(self, codebook_size: int, dim: int, **options: Any):
        super().__init__(codebook_size, dim, noise=0.0, **options)


class STE(VectorQuantizer):
    """Straight-through estimator with codebook loss and commitment 0.25.

    Source: van den Oord et al. 2017, arXiv:1711.00937, eq. 3.
    """

    default_commitment = 0.25
    codebook_loss = True

    def estimate(self, rows: Tensor, hard: Tensor) -> Tensor:
        return straight_through(rows, hard)


class RotationTrick(VectorQuantizer):
    """Gradients are rotated from codeword to latent; codebook loss and commitment 0.25 as with STE.

    Source: Fifty et al. 2024, arXiv:2410.06424, section 4; see `estimators.rotate`.
    """

    default_commitment = 0.25
    codebook_loss = True

    def estimate(self, rows: Tensor, hard: Tensor) -> Tensor:
        return rotate(rows, hard)


class NSVQ(VectorQuantizer):
    """Noise substitution: training replaces the quantization error by random noise of the same length.

    In a residual stack with `per_stage` wiring later stages learn from the noise of earlier ones, not from what they
    leave in deployment.

    Source: Vali & Bäckström 2022, "NSVQ: Noise substitution in vector quantization for machine learning".
    """

    def estimate(self, rows: Tensor, hard: Tensor) -> Tensor:
        return substitute_noise(rows, hard)


def warn_if_starving(dim: int) -> None:
    """Warn where DiVeQ leaves the encoder without gradient: of D parts of it, one goes to the codebook."""
    if dim < 4:
        warn(f"DiVeQ in {dim} dimension(s) leaves the encoder {dim - 1}/{dim} of its gradient", stacklevel=3)
