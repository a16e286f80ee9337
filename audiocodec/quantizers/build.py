"""From validated settings to a module; every method is named here once."""

from collections.abc import Callable
from functools import partial
from typing import assert_never

from ..config.quantizer import QuantizerConfig
from .codebook import Replacement
from .methods import NSVQ, STE, DiVeQ, RotationTrick
from .residual import ResidualQuantizer
from .space_filling import SFDiVeQ
from .stage import Stage


def build(config: QuantizerConfig, dim: int) -> ResidualQuantizer:
    """The residual quantizer that `config` describes.

    Args:
        config: validated settings.
        dim: size of the latent vectors.
    Returns:
        A stack of config.n_q stages with random codebooks; start them from data with `init_from_data`.
    """
    return ResidualQuantizer(
        _stage(config),
        config.n_q,
        config.codebook_size,
        dim,
        wiring=config.wiring,
        warmup=config.warmup,
        seed=config.seed,
    )


def _stage(config: QuantizerConfig) -> Callable[[int, int], Stage]:
    replacement = Replacement(config.replacement_interval, config.replacement_threshold, config.replacement_stop)
    options = {"commitment": config.commitment, "replacement": replacement, "seed": config.seed}
    curve = {"sf_bits": config.sf_bits, "surrogate": config.surrogate, "snap_from": config.snap_from}
    match config.method:
        case "diveq":
            return partial(DiVeQ, noise=config.noise, **options)
        case "diveq_detach":
            return partial(DiVeQ, noise=0.0, **options)
        case "sf_diveq":
            return partial(SFDiVeQ, noise=config.noise, **curve, **options)
        case "sf_diveq_detach":
            return partial(SFDiVeQ, noise=0.0, **curve, **options)
        case "ste":
            return partial(STE, **options)
        case "rotation_trick":
            return partial(RotationTrick, **options)
        case "nsvq":
            return partial(NSVQ, **options)
    assert_never(config.method)
