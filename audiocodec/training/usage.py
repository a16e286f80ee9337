"""How the codebooks are used over many steps; one batch is too small to tell."""

import torch
from torch import Tensor


class CodebookUsage:
    """Counts codes until `report` is called.

    Args:
        n_q: codebooks.
        size: codes of each.
    """

    def __init__(self, n_q: int, size: int, device: torch.device):
        self.counts = torch.zeros(n_q, size, dtype=torch.int64, device=device)

    def add(self, codes: Tensor, n_q: Tensor | None) -> None:
        """Count codes [B, K, T] of which item b keeps the first n_q[b] codebooks (None: all)."""
        n_codebooks, size = self.counts.shape
        stage = torch.arange(codes.shape[1], device=codes.device)
        weights = torch.ones_like(codes)
        if n_q is not None:
            weights *= (stage < n_q.to(codes.device)[:, None])[..., None]
        flat = (codes + size * stage[:, None]).flatten()
        self.counts += (
            torch.zeros(n_codebooks * size, dtype=torch.int64, device=codes.device)
            .index_add_(0, flat, weights.flatten())
            .view_as(self.counts)
        )

    def report(self, total: Tensor | None = None) -> dict[str, list[float]]:
        """usage (share of codes that occurred), perplexity and effective bits of each codebook; then count anew.

        Args:
            total: the counts summed over processes, where there are several.
        """
        counts = (self.counts if total is None else total).double()
        p = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
        bits = -torch.special.xlogy(p, p).sum(dim=1) / torch.log(torch.tensor(2.0, dtype=torch.float64))
        used = (counts > 0).double().mean(dim=1)
        self.counts.zero_()
        return {
            "usage": [round(v, 4) for v in used.tolist()],
            "perplexity": [round(v, 1) for v in bits.exp2().tolist()],
            "effective_bits": [round(v, 3) for v in bits.tolist()],
            "tokens": counts.sum(dim=1).tolist(),
        }
