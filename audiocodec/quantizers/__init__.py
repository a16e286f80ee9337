"""Vector quantizers on equal terms: one interface, any method, residual and product stacks of them."""

from .base import Quantized, Quantizer
from .build import build
from .codebook import Replacement
from .methods import NSVQ, STE, DiVeQ, DiVeQDetach, RotationTrick
from .residual import ResidualQuantizer
from .space_filling import SFDiVeQ, SFDiVeQDetach

__all__ = [
    "NSVQ",
    "STE",
    "DiVeQ",
    "DiVeQDetach",
    "Quantized",
    "Quantizer",
    "Replacement",
    "ResidualQuantizer",
    "RotationTrick",
    "SFDiVeQ",
    "SFDiVeQDetach",
    "build",
]
