"""Numbers below 1e-38, which CPUs compute with very slowly."""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def denormals_flushed() -> Iterator[None]:
    """Let this thread take numbers below 1e-38 for zero: with them near-silence is computed up to 98 times slower."""
    were_kept = bool(torch.full((8,), 1e-40).mul(1.0).any())
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(not were_kept)
