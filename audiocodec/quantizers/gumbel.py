"""Straight-through Gumbel-softmax: a codeword is drawn from a softmax in training and is its argmax when deployed."""

from math import log
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import telemetry
from .nearest import Table
from .vector import Choice, VectorQuantizer


class GumbelSoftmax(VectorQuantizer):
    """ST-GS: logits of K codewords from each latent; hard sample forward, soft sample backward.

    Args:
        codebook_size, dim, options: see VectorQuantizer.
        logits: "linear" learns a 1x1 projection to K logits, as the paper does; "distance" takes -|z - c|^2.
        temperature: first and last temperature of the softmax.
        temperature_steps: optimizer steps of the exponential way between them (moved on by `maintain`).
        kl_weight: weight of KL(softmax || uniform), which keeps codewords in use.
    Source: Jang et al. 2016, arXiv:1611.01144; with linear logits and KL as in Esser et al. 2020, arXiv:2012.09841
        (released code). Deviates from the code released with DiVeQ: inference takes the argmax and draws nothing.
    """

    temperature: Tensor

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        logits: Literal["linear", "distance"] = "linear",
        temperature: tuple[float, float] = (1.0, 0.1),
        temperature_steps: int = 10_000,
        kl_weight: float = 5e-4,
        **options: Any,
    ):
        super().__init__(codebook_size, dim, **options)
        self.project = nn.Linear(dim, codebook_size) if logits == "linear" else None
        self.temperature_range, self.temperature_steps, self.kl_weight = temperature, temperature_steps, kl_weight
        self.register_buffer("temperature", torch.tensor(temperature[0]))

    @property
    def has_loss(self) -> bool:
        return True

    def estimate(self, rows: Tensor, hard: Tensor) -> Tensor:
        return hard  # the gradients come with the choice itself

    def logits(self, rows: Tensor) -> Tensor:
        """[N, D] -> [N, K], the highest one wins."""
        if self.project is not None:
            return functional.linear(rows, self.project.weight.to(rows.dtype), self.project.bias.to(rows.dtype))
        points = self.points(rows.dtype)
        return 2 * rows @ points.t() - torch.linalg.vecdot(points, points)  # |z|^2 is the same for all codewords

    def table(self, dtype: torch.dtype) -> Table:
        if self.project is None:
            return super().table(dtype)
        return Table(self.project.weight.detach().to(dtype), -self.project.bias.detach().to(dtype))

    @property
    def chooses_softly(self) -> bool:
        return True

    def select(self, rows: Tensor, codes: Tensor | None = None) -> Choice:
        logits = self.logits(rows)
        uniform = torch.rand_like(logits).clamp_min(torch.finfo(logits.dtype).tiny)
        soft = functional.softmax((logits - torch.log(-torch.log(uniform))) / self.temperature, dim=1)
        codes, points = soft.argmax(dim=1), self.points(rows.dtype)
        # The same gradients as one-hot weights with a soft backward, and exactly the codeword in the forward pass.
        hard = functional.embedding(codes, points) + (soft - soft.detach()) @ points.detach()
        return Choice(codes, hard, logits=logits)

    def aux_loss(self, rows: Tensor, choice: Choice, kept: Tensor | None) -> Tensor:
        assert choice.logits is not None
        loss = super().aux_loss(rows, choice, kept)
        log_p = functional.log_softmax(choice.logits, dim=1)
        divergence = (log_p.exp() * (log_p + log(self.codebook_size))).sum(dim=1)
        return loss + self.kl_weight * telemetry.mean(divergence, kept)

    @torch.no_grad()
    def init_rows(self, rows: Tensor, generator: torch.Generator) -> None:
        """Codewords by k-means; linear logits become -|z - c|^2 over the mean error: the same cells."""
        super().init_rows(rows, generator)
        if self.project is None:
            return
        codes = super().search(rows, Table(self.points(rows.dtype)))
        spread = telemetry.energy(rows - self.lookup(codes, rows.dtype), None).clamp_min(1e-12) / self.dim
        self.project.weight.copy_(self.codebook / spread)
        self.project.bias.copy_(-torch.linalg.vecdot(self.codebook, self.codebook) / (2 * spread))

    def after_step(self, step: int) -> None:
        super().after_step(step)
        first, last = self.temperature_range
        done = min(step / self.temperature_steps, 1.0)
        self.temperature.fill_(first * (last / first) ** done)

    def row_tensors(self) -> list[Tensor]:
        linear = [] if self.project is None else [self.project.weight, self.project.bias]
        return [self.codebook, *linear]
