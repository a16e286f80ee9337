"""From validated settings to a module; every method is named here once."""

from collections.abc import Callable
from functools import partial
from typing import Any, assert_never

from ..config.quantizer import QuantizerConfig
from .codebook import Replacement
from .ema import EMA
from .fsq import FSQ
from .gumbel import GumbelSoftmax
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
        make_stage(config),
        config.n_q,
        config.codebook_size,
        dim,
        wiring=config.wiring,
        codebook_dim=config.codebook_dim,
        beam=config.beam,
        warmup=config.warmup,
        seed=config.seed,
    )


def make_stage(config: QuantizerConfig) -> Callable[[int, int], Stage]:
    """The method of `config` with its settings, waiting for (codebook_size, dim)."""
    replacement = Replacement(config.replacement_interval, config.replacement_threshold, config.replacement_stop)
    options: dict[str, Any] = {"commitment": config.commitment, "replacement": replacement, "seed": config.seed}
    curve: dict[str, Any] = {"sf_bits": config.sf_bits, "surrogate": config.surrogate, "snap_from": config.snap_from}
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
        case "ema":
            return partial(EMA, decay=config.ema_decay, **options)
        case "rotation_trick":
            return partial(RotationTrick, **options)
        case "gumbel_softmax":
            softmax: dict[str, Any] = {"logits": config.logits, "kl_weight": config.kl_weight}
            softmax |= {"temperature": config.temperature, "temperature_steps": config.temperature_steps}
            return partial(GumbelSoftmax, **softmax, **options)
        case "nsvq":
            return partial(NSVQ, **options)
        case "fsq":
            return FSQ
    assert_never(config.method)
