"""Every method in every composition that takes it, small enough to test in milliseconds."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from audiocodec.quantizers import (
    EMA,
    FSQ,
    NSVQ,
    STE,
    DiVeQ,
    DiVeQDetach,
    Factorised,
    GumbelSoftmax,
    ProductQuantizer,
    Quantizer,
    ResidualQuantizer,
    RotationTrick,
    SFDiVeQ,
    SFDiVeQDetach,
)

METHODS: dict[str, Callable[..., Quantizer]] = {
    "ste": STE,
    "ema": EMA,
    "rotation_trick": RotationTrick,
    "gumbel": GumbelSoftmax,
    "gumbel_distance": partial(GumbelSoftmax, logits="distance"),
    "nsvq": NSVQ,
    "diveq": DiVeQ,
    "diveq_detach": DiVeQDetach,
    "sf_diveq": partial(SFDiVeQ, sf_bits=2),
    "sf_diveq_detach": SFDiVeQDetach,
    "fsq": FSQ,
}
SINGLE = list(METHODS)
CODEBOOKS = [name for name in METHODS if name != "fsq"]
COMPOSITIONS = ("single", "factorised", "per_stage", "factorised_stages", "joint", "product")
STACKS = ("per_stage", "factorised_stages", "joint", "product")
ALL = [(name, kind) for name in METHODS for kind in COMPOSITIONS if name != "fsq" or kind in ("single", "per_stage")]


def make(name: str, kind: str, codebook_size: int = 12, dim: int = 8, seed: int = 0, warmup: int = 0) -> Quantizer:
    """A quantizer with random parameters that depend on `seed` alone."""
    torch.manual_seed(seed)
    method = METHODS[name]
    match kind:
        case "single":
            return method(codebook_size, dim, warmup=warmup)
        case "factorised":
            return Factorised(method(codebook_size, max(dim // 2, 1)), dim, warmup=warmup)
        case "per_stage" | "joint":
            return ResidualQuantizer(method, 3, codebook_size, dim, wiring=kind, warmup=warmup)
        case "factorised_stages":
            low = max(dim // 2, 1)
            return ResidualQuantizer(method, 3, codebook_size, dim, codebook_dim=low, warmup=warmup)
    return ProductQuantizer(method, 2, codebook_size, dim, warmup=warmup)


def latents(*shape: int, seed: int = 1) -> Tensor:
    """Gaussian latents that depend on `seed` alone."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def train_step(quantizer: Quantizer, z: Tensor, optimizer: torch.optim.Optimizer | None, step: int) -> dict[str, float]:
    """One step towards reconstruction of z, with maintenance."""
    out = quantizer(z)
    loss = (out.z_q - z).square().mean() + out.loss
    if optimizer is not None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return quantizer.maintain(step, optimizer)


def adam(quantizer: Quantizer) -> torch.optim.Optimizer | None:
    """An optimizer of all parameters, if there are any."""
    parameters = list(quantizer.parameters())
    return torch.optim.Adam(parameters, lr=0.02) if parameters else None
