"""A fixed-size memory of the newest latents; part of the state dict, so a run may stop inside its warm-up."""

import torch
from torch import Tensor, nn


class Reservoir(nn.Module):
    """Ring buffer of latents, written without asking the host.

    Args:
        capacity: vectors kept.
        dim: their size.
    """

    latents: Tensor
    seen: Tensor

    def __init__(self, capacity: int, dim: int):
        super().__init__()
        self.capacity = capacity
        self.register_buffer("latents", torch.zeros(capacity + 1, dim))  # the last row takes what is not wanted
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def add(self, rows: Tensor, valid: Tensor | None) -> None:
        """Remember rows [N, D]; those outside `valid` [N] are passed over."""
        rows = rows[-self.capacity :]
        if valid is None:
            places = (self.seen + torch.arange(len(rows), device=rows.device)) % self.capacity
            count: Tensor | int = len(rows)
        else:
            valid = valid[-self.capacity :]
            places = (self.seen + valid.cumsum(0) - 1) % self.capacity
            places = torch.where(valid, places, self.capacity)
            count = valid.sum()
        self.latents.index_copy_(0, places, rows.to(self.latents.dtype))
        self.seen += count

    def rows(self) -> Tensor:
        """Latents remembered so far, [min(seen, capacity), D]."""
        return self.latents[: min(int(self.seen), self.capacity)]
