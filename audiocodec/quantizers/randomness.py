"""Random numbers that depend on nothing but their seeds, so that a resumed run draws what the first one drew."""

import numpy as np
import torch


def generator_for(*seeds: int) -> torch.Generator:
    """CPU generator that is a function of `seeds` (for example seed, step, stage), well mixed."""
    word = np.random.SeedSequence((len(seeds), *seeds)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(word >> np.uint64(1)))
