"""Multi-path search of a residual stack: several partial codes of a vector are followed, not the best one alone.

The nearest codeword of a stage is the best choice only if nothing comes after it. Following the `width` best partial
sums and deciding at the end lowers the error of the sum; the decoder, its codebooks and the bits stay as they are.

A matrix product in float32 finds the candidates; errors computed one by one in float64 rank them, so that an answer
depends neither on the other rows nor on the order in which a product adds. Rows whose candidates float32 cannot tell
from the rest are searched in float64.

Source: tree search of multistage vector quantizers, LeBlanc et al. 1993, "Efficient search and design procedures for
robust multi-stage VQ of LPC parameters for 4 kb/s speech coding", IEEE Trans. Speech and Audio Processing 1(4), sec. 3
(the M-L search).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Product = Callable[[Array, Array], Array]

ROWS = 128  # at a time: fewer cost calls, more leave the cache
SPARE = 1  # candidates beyond those that are kept: the next best shows whether float32 can tell them apart


@dataclass(frozen=True, eq=False)
class Points:
    """What the codes of one stage stand for.

    Args:
        values: [K, D] float64.
    """

    values: Array

    @cached_property
    def columns(self) -> tuple[Array, Array]:
        """[D + 2, K] in float64 and float32: [row, |row|^2 / 2, 1] times it is half the squared distance to a point."""
        halves = np.einsum("kd,kd->k", self.values, self.values) / 2
        wide = np.ascontiguousarray(np.concatenate([-self.values.T, np.ones((1, len(halves))), halves[None]]))
        return wide, wide.astype(np.float32)


def best_paths(
    rows: Array,
    stages: Sequence[Points],
    width: int,
    lengths: Array | None = None,
    product: Product = np.matmul,
) -> NDArray[np.int64]:
    """Codes whose points add up to something near each row: the best of the paths that were followed.

    Args:
        rows: [N, D] float64.
        stages: the points of every stage.
        width: paths followed, at least 1; of equal errors the lowest code of the best path so far wins.
        lengths: [N], how many of the stages count for a row (1 to all); None: all.
        product: multiplies matrices.
    Returns:
        [N, stages] int64; codes past a row's length are 0.
    """
    out = np.zeros((len(rows), len(stages)), np.int64)
    for start in range(0, len(rows), ROWS):
        some = slice(start, start + ROWS)
        out[some] = _best_paths(rows[some], stages, width, None if lengths is None else lengths[some], product)
    return out


def _best_paths(
    rows: Array, stages: Sequence[Points], width: int, lengths: Array | None, product: Product
) -> NDArray[np.int64]:
    left, codes, parents = rows[:, None], [], []  # left [N, paths, D], what a path has yet to code; best path first
    halves = (left * left).sum(axis=-1) / 2  # of the squared lengths of what is left
    for points in stages:
        parent, code, left, halves = _extend(left, halves, points, width, product)
        parents.append(parent)
        codes.append(code)
    out = np.empty((len(rows), len(stages)), np.int64)
    path = np.zeros((len(rows), 1), np.int64)
    for index in reversed(range(len(stages))):
        if lengths is not None:  # a row's best path at its own last stage
            path[lengths == index + 1] = 0
        out[:, index : index + 1] = np.take_along_axis(codes[index], path, axis=1)
        path = np.take_along_axis(parents[index], path, axis=1)
    if lengths is not None:
        out[np.arange(len(stages)) >= lengths[:, None]] = 0
    return out


def _extend(
    left: Array, halves: Array, points: Points, width: int, product: Product, narrow: bool = True
) -> tuple[Array, Array, Array, Array]:
    """The best paths that are one code longer: which path each comes from, its code, what it leaves over, its error."""
    n, paths, dim = left.shape
    size = len(points.values)
    wide, single = points.columns
    extended = np.ones((n, paths, dim + 2), np.float32 if narrow else np.float64)
    extended[..., :dim] = left
    extended[..., dim] = halves
    extended = extended.reshape(n * paths, dim + 2)
    scores = product(extended, single) if narrow else extended @ wide
    count = min(width + SPARE, paths * size)
    places, worst = _lowest(scores.reshape(n, paths * size), count)
    parent, code = np.divmod(places, size)
    each = np.arange(n)[:, None]
    over = left[each, parent]
    over -= points.values[code]
    errors = (over * over).sum(axis=-1) / 2
    order = np.lexsort((places, errors), axis=-1)[:, :width]
    parent, code, over, errors = parent[each, order], code[each, order], over[each, order], errors[each, order]
    if narrow and count < paths * size:
        # Whatever is not among the candidates has a float32 score of at least `worst`. Were its error below `kept`, the
        # last that is kept, then its point would lie within sqrt(2 kept) of a row, |point|^2 <= 2 |row|^2 + 4 kept, and
        # its score off by (D + 8) eps (|row|^2 + |point|^2) at most (quantizers/nearest.py); twice that is margin.
        unit = 2 * (dim + 8) * float(np.finfo(np.float32).eps)
        kept = errors[:, -1]
        margin = unit * (6 * halves.max(axis=1) + 4 * kept)
        unsure = ~(worst - kept > margin)  # also where infinities make it not a number
        if unsure.any():
            again = _extend(left[unsure], halves[unsure], points, width, product, narrow=False)
            parent[unsure], code[unsure], over[unsure], errors[unsure] = again
    return parent, code, over, errors


def _lowest(scores: Array, count: int) -> tuple[NDArray[np.int64], Array]:
    """Places of the `count` lowest scores of each row, and the highest of them. Overwrites `scores`."""
    each, places = np.arange(len(scores)), np.empty((len(scores), count), np.int64)
    for index in range(count):  # argmin is vectorised, partition is not
        if index:
            scores[each, places[:, index - 1]] = np.inf
        places[:, index] = scores.argmin(axis=1)
    return places, scores[each, places[:, -1]]
