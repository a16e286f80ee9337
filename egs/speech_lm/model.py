"""A causal transformer over a delay pattern: all codes of a step in, all codes of the next step out."""

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Rotation: TypeAlias = tuple[Tensor, Tensor]  # cosine and sine, [S, width of a head / 2]
Past: TypeAlias = tuple[Tensor, Tensor]  # keys and values, [B, heads, S, width of a head]


@dataclass(frozen=True)
class LMConfig:
    """Sizes. The default has three million parameters with four codebooks of 1024."""

    n_q: int
    codebook_size: int
    vocabulary_size: int  # codes and special tokens of one codebook's table
    width: int = 192
    depth: int = 4
    heads: int = 4
    dropout: float = 0.1


class Block(nn.Module):
    """Pre-norm attention, with rotary positions, and a feed-forward layer."""

    def __init__(self, cfg: LMConfig):
        super().__init__()
        self.heads, self.dropout = cfg.heads, cfg.dropout
        self.norm1, self.norm2 = nn.RMSNorm(cfg.width), nn.RMSNorm(cfg.width)
        self.qkv = nn.Linear(cfg.width, 3 * cfg.width, bias=False)
        self.out = nn.Linear(cfg.width, cfg.width, bias=False)
        self.up = nn.Linear(cfg.width, 4 * cfg.width, bias=False)
        self.down = nn.Linear(4 * cfg.width, cfg.width, bias=False)

    def forward(self, x: Tensor, rotation: Rotation, past: Past | None = None) -> tuple[Tensor, Past]:
        """[B, S, width] to the same, and the keys and values so far; after a past S is 1."""
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = rotated(q, rotation), rotated(k, rotation)
        if past:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        p = self.dropout if self.training else 0.0
        seen = F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=past is None)
        x = x + F.dropout(self.out(seen.transpose(1, 2).flatten(2)), p)
        return x + F.dropout(self.down(F.gelu(self.up(self.norm2(x)))), p), (k, v)


class DelayLM(nn.Module):
    """Predicts the codes of the next step of every codebook.

    Source: MusicGen, Copet et al. 2023, arXiv:2306.05284 (sum of one embedding a codebook in, one head a codebook out).
    """

    def __init__(self, cfg: LMConfig):
        super().__init__()
        self.cfg = cfg
        self.embeddings = nn.ModuleList(nn.Embedding(cfg.vocabulary_size, cfg.width) for _ in range(cfg.n_q))
        self.blocks = nn.ModuleList(Block(cfg) for _ in range(cfg.depth))
        self.norm = nn.RMSNorm(cfg.width)
        self.heads = nn.Linear(cfg.width, cfg.n_q * cfg.codebook_size, bias=False)
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the step after each: [B, K, S] int64 to [B, K, S, codebook_size]."""
        return self.step(tokens)[0]

    def step(self, tokens: Tensor, past: list[Past] | None = None) -> tuple[Tensor, list[Past]]:
        """Logits of what comes after some steps, and what to give back with the step after them.

        Args:
            tokens: [B, K, S] int64; S is 1 after a past.
            past: keys and values of each block, as the step before returned them; None at the beginning.
        Returns:
            [B, K, S, codebook_size], and the past.
        """
        x = torch.stack([table(row) for table, row in zip(self.embeddings, tokens.unbind(1), strict=True)]).sum(0)
        first = past[0][0].shape[2] if past else 0
        rotation = rotations(first, tokens.shape[-1], self.cfg.width // self.cfg.heads, x)
        seen = []
        for number, block in enumerate(self.blocks):
            x, keys_and_values = block(x, rotation, past[number] if past else None)
            seen.append(keys_and_values)
        return self.heads(self.norm(x)).unflatten(-1, (self.cfg.n_q, -1)).transpose(1, 2), seen


def losses(model: DelayLM, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Negative log likelihood of the codes, special tokens left out.

    Args:
        tokens, mask: [B, K, S] as `TokenDataset.collate` gives them.
    Returns:
        Sum over the codes of each codebook, nats, and their number: [K] each.
    """
    logits, wanted, counted = model(tokens[..., :-1]), tokens[..., 1:], mask[..., 1:]
    nll = F.cross_entropy(logits.movedim(-1, 1), wanted.where(counted, -100), ignore_index=-100, reduction="none")
    return nll.sum(dim=(0, 2)), counted.sum(dim=(0, 2))


def rotations(first: int, steps: int, width: int, like: Tensor) -> Rotation:
    """Cosine and sine of rotary positions, [steps, width / 2]. Source: Su et al. 2021, arXiv:2104.09864."""
    rates = 10000.0 ** -(torch.arange(0, width, 2, device=like.device) / width)
    angles = torch.outer(torch.arange(first, first + steps, device=like.device), rates)
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def rotated(x: Tensor, rotation: Rotation) -> Tensor:
    """[..., steps, width] turned by its positions."""
    cos, sin = rotation
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
