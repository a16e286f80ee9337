"""Randomness as a function of where we are: no generator has a state that a checkpoint could lose."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a random number is for; each purpose has numbers of its own. Values are never reused or changed."""

    CROP = 1
    DROPOUT = 2
    STEP = 3
    WEIGHTS = 4
    CODEBOOKS = 5
    AUGMENT = 6
    TOKEN_ORDER = 7
    TOKEN_CROP = 8


def generator(seed: int, stream: Stream, *place: int) -> np.random.Generator:
    """A generator for one place (step, row, attempt, rank, ...), independent of every other place.

    Source: NumPy's SeedSequence (a hash in which neighbouring seeds give unrelated streams).
    """
    return np.random.default_rng([seed, int(stream), *place])


def torch_seed(seed: int, stream: Stream, *place: int) -> int:
    """A 63-bit seed for `torch.manual_seed`, for one place."""
    return int(generator(seed, stream, *place).integers(2**63))
