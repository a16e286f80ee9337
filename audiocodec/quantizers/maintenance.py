"""Care of codebooks between training steps: counts of all ranks, replacement of dead codewords, the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from . import telemetry
from .codebook import draw_replacements
from .distributed import broadcast, sum_over_ranks
from .randomness import generator_for

if TYPE_CHECKING:
    from .vector import VectorQuantizer


def maintain_codebooks(
    codebooks: Sequence[VectorQuantizer], step: int, optimizer: torch.optim.Optimizer | None, max_steps: int | None
) -> dict[str, float]:
    """See Quantizer.maintain. No collective depends on data; the host waits only where a replacement is due."""
    if not codebooks:
        return {}
    _gather_counts(codebooks)
    for codebook in codebooks:
        codebook.after_step(step)
    due = [codebook for codebook in codebooks if codebook.replacement.due(step, max_steps)]
    return _review(due, step, optimizer) if due else {}


def _gather_counts(codebooks: Sequence[VectorQuantizer]) -> None:
    """Add the counts of this step, of all ranks, to each codebook's window; so the windows agree on all ranks."""
    counts = sum_over_ranks(torch.cat([codebook.counts for codebook in codebooks]))
    for codebook, fresh in zip(codebooks, counts.split([c.codebook_size for c in codebooks]), strict=True):
        codebook.counts.copy_(fresh)
        codebook.window += fresh
        # after_step may still want this step's counts (EMA); it zeroes them


def _review(
    codebooks: Sequence[VectorQuantizer], step: int, optimizer: torch.optim.Optimizer | None
) -> dict[str, float]:
    windows = torch.cat([codebook.window for codebook in codebooks]).cpu()
    replaced, changed = 0, []
    entries: list[dict[str, Tensor]] = []
    for index, codebook in enumerate(codebooks):
        counts = windows[: codebook.codebook_size]
        windows = windows[codebook.codebook_size :]
        if counts.sum() < codebook.replacement.evidence * codebook.codebook_size:
            continue  # too few tokens to call a codeword dead: go on counting
        entries.append(telemetry.usage_metrics(counts[None]))
        codebook.window.zero_()
        dead = codebook.replacement.dead(counts)
        if codebook.replaces and dead.any():
            generator = generator_for(codebook.seed, step, index)
            codebook.replace(dead, draw_replacements(counts, dead, generator), generator)
            _forget_moments(codebook, dead, optimizer)
            changed.append(codebook)
            replaced += int(dead.sum())
    broadcast(tensor for codebook in changed for tensor in codebook.row_tensors())
    if not entries:
        return {}
    log = {name: float(torch.cat([entry[name] for entry in entries]).mean()) for name in entries[0]}
    return {"replaced": float(replaced), **log}


def _forget_moments(codebook: VectorQuantizer, dead: Tensor, optimizer: torch.optim.Optimizer | None) -> None:
    if optimizer is None:
        return
    for parameter in codebook.row_tensors():
        for moment in optimizer.state.get(parameter, {}).values():
            if isinstance(moment, Tensor) and moment.shape == parameter.shape:
                moment[dead.to(moment.device)] = 0
