"""Vector quantizers on equal terms: one interface, any method, residual and product stacks of them."""

from .base import Quantized, Quantizer
from .build import build
from .codebook import Replacement
from .ema import EMA
from .factorised import Factorised
from .fsq import FSQ
from .gumbel import GumbelSoftmax
from .methods import NSVQ, STE, DiVeQ, DiVeQDetach, RotationTrick
from .product import ProductQuantizer
from .residual import ResidualQuantizer
from .space_filling import SFDiVeQ, SFDiVeQDetach

__all__ = [
    "EMA",
    "FSQ",
    "NSVQ",
    "STE",
    "DiVeQ",
    "DiVeQDetach",
    "Factorised",
    "GumbelSoftmax",
    "ProductQuantizer",
    "Quantized",
    "Quantizer",
    "Replacement",
    "ResidualQuantizer",
    "RotationTrick",
    "SFDiVeQ",
    "SFDiVeQDetach",
    "build",
]
