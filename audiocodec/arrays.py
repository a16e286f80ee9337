"""What streams do with arrays of either kind, tensors or NumPy's; no torch here, unless a tensor brings it."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from .inference.states import map_state

Array: TypeAlias = Any
"""A tensor or a NumPy array."""


def joined(parts: Sequence[Array]) -> Array:
    """Concatenate along time, the last dimension, into memory of its own."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts, axis=-1)
    import torch

    return torch.cat(list(parts), dim=-1)


def stacked(items: Sequence[Array], size: int) -> Array:
    """Put arrays of one shape side by side in a new first dimension, zeros behind them, `size` in all."""
    if isinstance(items[0], np.ndarray):
        whole = np.zeros((size, *items[0].shape), items[0].dtype)
        np.stack(items, out=whole[: len(items)])
        return whole
    import torch

    batch = torch.stack(list(items))
    return torch.nn.functional.pad(batch, (0, 0) * (batch.ndim - 1) + (0, size - len(items)))


def copied(array: Array) -> Array:
    """The same numbers in memory of their own."""
    return array.copy() if isinstance(array, np.ndarray) else array.clone()


def mixed(mask: Array, fresh: Any, old: Any) -> Any:
    """Take the state `fresh` for the batch items where `mask` is true, `old` for the others."""

    def choose(new: Array, kept: Array) -> Array:
        shape = (-1, *[1] * (new.ndim - 1))
        if isinstance(new, np.ndarray):
            return np.where(np.asarray(mask).reshape(shape), new, kept)
        import torch

        return torch.where(torch.as_tensor(mask, device=new.device).reshape(shape), new, kept)

    return map_state(choose, fresh, old)
