"""How codebooks start and how dead codewords are replaced."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .nearest import Table, nearest

SAMPLES_PER_CODE = 32  # latents a codeword that k-means looks at; more change little and cost time
PERTURBATION = 1e-3  # of the rms length of codewords: enough to break a tie in float32, too little to be seen


@dataclass(frozen=True, slots=True)
class Replacement:
    """When codewords count as dead.

    Source: Vali, Bäckström & Solin 2026, arXiv:2509.26469, appendix B.1; deviates: tokens are counted, not batches.
    """

    interval: int = 100  # steps between replacements; 0: never
    threshold: float = 0.01  # dead below this share of the tokens that a codeword would get if all were used alike
    stop: int | None = None  # last step that replaces; None: 90 % of the run where its length is known
    evidence: int = 8  # tokens a codeword that must have been counted before anything is judged

    def due(self, step: int, max_steps: int | None) -> bool:
        """Whether this step may replace."""
        stop = self.stop if self.stop is not None or max_steps is None else int(0.9 * max_steps)
        return self.interval > 0 and step > 0 and step % self.interval == 0 and (stop is None or step <= stop)

    def dead(self, counts: Tensor) -> Tensor:
        """Which codewords are dead: counts [K] -> [K] bool."""
        return counts < self.threshold * counts.sum() / len(counts)


def draw_replacements(counts: Tensor, dead: Tensor, generator: torch.Generator) -> Tensor:
    """For each dead codeword a living one, drawn in proportion to its use.

    Args:
        counts: [K] int64 on the CPU, not all dead.
        dead: [K] bool.
    Returns:
        [dead.sum()] int64, indices of living codewords.
    """
    weights = torch.where(dead, 0, counts).to(torch.float64)
    return torch.multinomial(weights, int(dead.sum()), replacement=True, generator=generator)


def perturbation(vectors: Tensor, generator: torch.Generator, scale: float = PERTURBATION) -> Tensor:
    """Gaussian noise of the shape of `vectors` [N, D]; its length is `scale` times their rms length."""
    rms = torch.linalg.vector_norm(vectors) / max(vectors.numel(), 1) ** 0.5
    noise = torch.randn(vectors.shape, generator=generator).to(vectors)
    return noise * torch.where(rms > 0, rms * scale, torch.full_like(rms, scale))


@torch.no_grad()
def k_means(rows: Tensor, size: int, generator: torch.Generator, iterations: int = 10) -> Tensor:
    """Codewords by Lloyd's algorithm; empty cells are moved to the rows that are served worst.

    Args:
        rows: [N, D] with N >= 1; fewer rows than codewords are allowed (the surplus lies near other rows).
        size: K, number of codewords.
        generator: makes the result a function of rows and seed.
    Returns:
        [K, D] in the dtype and on the device of `rows`.
    """
    order = torch.randperm(len(rows), generator=generator).to(rows.device)
    rows = rows[order[: size * SAMPLES_PER_CODE]]
    codewords = rows[torch.arange(size, device=rows.device) % len(rows)]
    if len(rows) < size:
        codewords[len(rows) :] += perturbation(codewords[len(rows) :], generator, scale=0.1)
    for _ in range(iterations):
        codes = nearest(rows, Table(codewords))
        counts = torch.bincount(codes, minlength=size)
        sums = torch.zeros_like(codewords).index_add_(0, codes, rows)
        means = sums / counts.clamp_min(1)[:, None]
        errors = (rows - codewords[codes]).square().sum(dim=1)
        codewords = torch.where(counts[:, None] > 0, means, codewords)
        empty = torch.nonzero(counts == 0)[:, 0]
        worst = errors.argsort(descending=True, stable=True)[: len(empty)]
        worst = worst[errors[worst] > 0]
        codewords[empty[: len(worst)]] = rows[worst]
    return codewords


def path_order(points: Tensor, sweeps: int = 30) -> Tensor:
    """Order that makes a short path through all points: greedy nearest neighbours, then 2-opt.

    Args:
        points: [K, D].
        sweeps: upper limit of improving passes over the path.
    Returns:
        [K] int64, a permutation.
    Source: 2-opt, Croes 1958; a short path keeps the ends of each segment of a space-filling curve near each other.
    """
    places = points.detach().to("cpu", torch.float64)
    distances = torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist").numpy()
    order = _greedy_path(distances)
    for _ in range(sweeps):
        if not _two_opt_sweep(order, distances):
            break
    return torch.from_numpy(order).to(points.device)


def _greedy_path(distances: np.ndarray) -> np.ndarray:
    size = len(distances)
    left = np.ones(size, dtype=bool)
    order = np.empty(size, dtype=np.int64)
    order[0] = distances.sum(axis=1).argmax()  # an outlying point is a good end of a path
    left[order[0]] = False
    for place in range(1, size):
        order[place] = np.where(left, distances[order[place - 1]], np.inf).argmin()
        left[order[place]] = False
    return order


def _two_opt_sweep(order: np.ndarray, distances: np.ndarray) -> bool:
    """Reverse, for each start, the stretch of the path that saves most; False when nothing was to be saved."""
    improved = False
    for start in range(len(order) - 1):
        before, first = order[start - 1] if start else -1, order[start]
        last, after = order[start + 1 :], order[start + 2 :]
        saving = np.zeros(len(last))
        if start:
            saving += distances[before, first] - distances[before, last]
        saving[:-1] += distances[last[:-1], after] - distances[first, after]
        best = int(saving.argmax())
        if saving[best] > 1e-9:
            order[start : start + 2 + best] = order[start : start + 2 + best][::-1].copy()
            improved = True
    return improved
