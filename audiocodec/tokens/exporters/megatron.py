"""Megatron: `tokens.bin` and `tokens.idx`, one document an item, for GPT-like training on one row of ids.

    megatron.core.datasets.indexed_dataset.IndexedDataset("OUT/tokens")[0]

Ids are those of `views.flat` or `views.coarse_first`; `export.json` declares the vocabulary, its size and special
tokens (what Megatron calls the padded vocabulary is chosen there).

Source: the index format of IndexedDataset in NVIDIA Megatron-LM, megatron/core/datasets/indexed_dataset.py.
"""

import struct
from collections.abc import Callable

import numpy as np

from ...errors import ConfigError
from ..views import View, coarse_first, flat
from .job import Job

_ORDERS: dict[str, Callable[..., View]] = {"flat": flat, "coarse-first": coarse_first}
_UINT16, _INT32 = 8, 4  # as the format numbers them
_LARGEST_UINT16 = 65500  # Megatron's own bound for choosing uint16


def write(job: Job, order: str = "flat", ends: bool = True, base: int = 0) -> None:
    """Write both files; ids are uint16 where the vocabulary allows, else int32.

    Args:
        job: what to export.
        order: "flat" (frame-interleaved) or "coarse-first".
        ends: whether "bos" and "eos" stand around each item.
        base: first id, where a text vocabulary comes before.
    Raises:
        ConfigError: another order, or an item too long for the index.
    """
    if order not in _ORDERS:
        raise ConfigError(f"order {order!r}: allowed are {', '.join(_ORDERS)}")
    view = _ORDERS[order](job.sizes, base=base, ends=ends)
    job.declare(view, name=order)
    small = view.vocabulary.size < _LARGEST_UINT16
    dtype = np.dtype("<u2" if small else "<i4")
    lengths = job.store.lengths * view.n_q + 2 * ends
    if len(lengths) and lengths.max() > np.iinfo(np.int32).max:
        longest = job.store[int(lengths.argmax())]
        raise ConfigError(f"{longest.id}: {lengths.max()} tokens; Megatron's index holds at most 2^31 - 1 an item")
    with open(job.folder / "tokens.bin", "wb") as file:
        for number, item in job.items():
            ids = view(job.codes(item)).tokens
            assert len(ids) == lengths[number]
            file.write(ids.astype(dtype).tobytes())
    with open(job.folder / "tokens.idx", "wb") as file:
        file.write(
            b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, _UINT16 if small else _INT32, len(lengths), len(lengths) + 1)
        )
        file.write(lengths.astype("<i4").tobytes())
        ends_bytes = np.cumsum(lengths, dtype=np.int64) * dtype.itemsize
        file.write(np.concatenate([[0], ends_bytes])[: len(lengths)].astype("<i8").tobytes())
        file.write(np.arange(len(lengths) + 1, dtype="<i8").tobytes())
