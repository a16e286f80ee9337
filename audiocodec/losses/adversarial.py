"""Least-squares adversarial losses and feature matching; means over discriminators, so weights survive adding one."""

import torch
from torch import Tensor

from .discriminators import Features

_FEATURE_FLOOR = 1e-3  # mean size below which a layer's output counts as silent in relative terms


def discriminator_loss(real: Features, fake: Features) -> Tensor:
    """Mean over discriminators D of mean (1 - D(y))^2 + mean D(x)^2.

    Args:
        real, fake: what `Discriminators` gave for original audio y and decoded audio x.
    Returns:
        scalar; 0.5 for a discriminator that always answers 1/2, 0 for a perfect one.
    Source: LSGAN, Mao et al. 2017, arXiv:1611.04076, eq. 9 (a = 0, b = c = 1), without the factor 1/2.
    """
    losses = [
        (1 - y[-1].float()).square().mean() + x[-1].float().square().mean() for y, x in zip(real, fake, strict=True)
    ]
    return torch.stack(losses).mean()


def adversarial_loss(fake: Features) -> Tensor:
    """Mean over discriminators of mean (1 - D(x))^2: how far decoded audio x is from passing as original.

    Source: LSGAN, as `discriminator_loss`.
    """
    return torch.stack([(1 - x[-1].float()).square().mean() for x in fake]).mean()


def feature_matching_loss(real: Features, fake: Features) -> Tensor:
    """Mean over discriminators, layers and items of mean |D_l(y) - D_l(x)| / mean |D_l(y)|, judgements left out.

    Args:
        real, fake: what `Discriminators` gave for original audio y (no gradient flows there) and decoded audio x.
    Returns:
        scalar.
    Source: EnCodec, Défossez et al. 2022, arXiv:2210.13438, sec. 3.4; the division by the size of the original's
    features is taken item by item, so that splitting a batch over processes changes nothing.
    """
    losses = []
    for y_layers, x_layers in zip(real, fake, strict=True):
        for y, x in zip(y_layers[:-1], x_layers[:-1], strict=True):
            target = y.detach().float().flatten(1)
            distance = (x.float().flatten(1) - target).abs().mean(1)
            losses.append((distance / target.abs().mean(1).clamp(min=_FEATURE_FLOOR)).mean())
    return torch.stack(losses).mean()
