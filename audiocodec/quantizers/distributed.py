"""The collective operations that codebooks need; all do nothing in a run of one process."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch import distributed as dist


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def decides() -> bool:
    """True on the one rank whose decisions hold for all."""
    return not _several() or dist.get_rank() == 0


def sum_over_ranks(values: Tensor) -> Tensor:
    """Sum of `values` over all ranks, in place."""
    if _several():
        dist.all_reduce(values)
    return values


def agreed(flag: Tensor) -> bool:
    """The deciding rank's `flag` (0-dim bool), on all ranks; waits for the device."""
    word = flag.to(torch.int64)
    broadcast([word])
    return bool(word)


def broadcast(tensors: Iterable[Tensor]) -> None:
    """Overwrite `tensors` with those of the deciding rank."""
    if _several():
        with torch.no_grad():
            for tensor in tensors:
                dist.broadcast(tensor.detach(), src=0)
