"""A causal transformer over a delay pattern: all codes of a step in, all codes of the next step out."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """[B, S, width] to the same."""
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        p = self.dropout if self.training else 0.0
        seen = F.scaled_dot_product_attention(
            rotated(q, rotation), rotated(k, rotation), v, dropout_p=p, is_causal=True
        )
        x = x + F.dropout(self.out(seen.transpose(1, 2).flatten(2)), p)
        return x + F.dropout(self.down(F.gelu(self.up(self.norm2(x)))), p)


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
        """Logits of the step after each.

        Args:
            tokens: [B, K, S] int64.
        Returns:
            [B, K, S, codebook_size].
        """
        x = torch.stack([table(row) for table, row in zip(self.embeddings, tokens.unbind(1), strict=True)]).sum(0)
        rotation = rotations(tokens.shape[-1], self.cfg.width // self.cfg.heads, x)
        for block in self.blocks:
            x = block(x, rotation)
        return self.heads(self.norm(x)).unflatten(-1, (self.cfg.n_q, -1)).transpose(1, 2)


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


def rotations(steps: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of rotary positions, [steps, width / 2]. Source: Su et al. 2021, arXiv:2104.09864."""
    rates = 10000.0 ** -(torch.arange(0, width, 2, device=like.device) / width)
    angles = torch.outer(torch.arange(steps, device=like.device), rates)
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def rotated(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """[..., steps, width] turned by its positions."""
    cos, sin = rotation
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
