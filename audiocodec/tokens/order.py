"""Which examples are in which batch of which process: arithmetic, so that a position is two numbers.

A shuffled epoch is a permutation that is computed place by place: 10^9 examples need no table, and any step of any
epoch is there at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.seeding import Stream, generator
from ..errors import ConfigError

_ROUNDS = 4  # of the Feistel network: three make its permutations pseudo-random, four strongly so (Luby and Rackoff)


def permuted(places: np.ndarray, n: int, keys: np.ndarray) -> np.ndarray:
    """Where a permutation of range(n) takes some places.

    Args:
        places: int64 in [0, n).
        n: size of the range.
        keys: uint64 [rounds]; they choose the permutation.
    Returns:
        int64 of the shape of `places`, in [0, n); different places go to different ones.
    Source: Feistel network with cycle walking, Black and Rogaway 2002, "Ciphers with arbitrary finite domains".
    """
    half = max(((n - 1).bit_length() + 1) // 2, 1)  # bits; the network permutes 4^half >= n numbers
    out = _feistel(places.astype(np.uint64), half, keys)
    while len(beyond := np.flatnonzero(out >= n)):  # on until they are in the range: 4 times on average at most
        out[beyond] = _feistel(out[beyond], half, keys)
    return out.astype(np.int64)


def _feistel(values: np.ndarray, half: int, keys: np.ndarray) -> np.ndarray:
    low = np.uint64((1 << half) - 1)
    left, right = values >> np.uint64(half), values & low
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ key) & low)
    return (left << np.uint64(half)) | right


def _mixed(x: np.ndarray) -> np.ndarray:
    """Every bit of the result depends on every bit of `x`. Source: SplitMix64, Steele et al. 2014 (public domain)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class Plan:
    """The batches of every epoch, divided over processes: each example once an epoch, in one of them.

    The processes' batches of one step are neighbours in the epoch's order, so the same `batch_size` x `world` gives the
    same examples in the same steps.

    Args:
        n_examples: of an epoch.
        batch_size: examples of one batch of one process.
        world: processes; `rank` is this one's number.
        seed: of the shuffling.
        shuffle: False: in the order of the store.
        drop_last: leave out what is too little for a whole batch in every process. Otherwise it is shared out as evenly
            as it can be, and with fewer examples left than processes some have one step less.
    Raises:
        ConfigError: a number out of range.
    """

    n_examples: int
    batch_size: int
    world: int = 1
    rank: int = 0
    seed: int = 0
    shuffle: bool = True
    drop_last: bool = False

    def __post_init__(self) -> None:
        if self.batch_size < 1 or not 0 <= self.rank < self.world:
            raise ConfigError(
                f"batch_size={self.batch_size}, rank={self.rank}, world={self.world}: "
                "expected a batch of 1 or more, and 0 <= rank < world"
            )

    @property
    def steps(self) -> int:
        """Batches of this process in an epoch."""
        whole, rest = divmod(self.n_examples, self.batch_size * self.world)
        return whole + (rest > self.rank and not self.drop_last)

    def batch(self, epoch: int, step: int) -> np.ndarray:
        """Examples of one step of this process: int64 [batch_size], fewer in the last step.

        Raises:
            ConfigError: the epoch has no such step.
        """
        if not 0 <= step < self.steps:
            raise ConfigError(f"step {step}: an epoch has steps 0 to {self.steps - 1}")
        together = self.batch_size * self.world
        places = np.arange(step * together, min((step + 1) * together, self.n_examples), dtype=np.int64)
        mine = np.array_split(places, self.world)[self.rank]
        if not self.shuffle:
            return mine
        keys = generator(self.seed, Stream.TOKEN_ORDER, epoch).integers(2**64, size=_ROUNDS, dtype=np.uint64)
        return permuted(mine, self.n_examples, keys)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one example shows: frames `start` to `start` + `frames` of an item of the store."""

    item: int
    start: int
    frames: int


class Crops:
    """Turns the items of a store into examples of at most `frames` frames.

    Args:
        lengths: [items] frames of every item, `TokenStore.lengths`.
        frames: of a crop; None: whole items.
        random: True: every item gives as many crops an epoch as fill its length, each at a random place. False: it is
            cut from its beginning into crops that touch, the last one shorter: every frame once, for evaluation.
        min_frames: shorter items are left out.
        items: numbers of the items to use, such as those of one set or voice; default all.
        seed: of the places.
    Raises:
        ConfigError: `frames` or `min_frames` below 1, or no item is long enough.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        frames: int | None,
        *,
        random: bool = True,
        min_frames: int = 1,
        items: Sequence[int] | np.ndarray | None = None,
        seed: int = 0,
    ):
        if (frames is not None and frames < 1) or min_frames < 1:
            raise ConfigError(f"crops of {frames} frames from items of {min_frames} or more: both must be 1 or more")
        self.frames, self.random, self.seed = frames, random and frames is not None, seed
        asked = np.arange(len(lengths)) if items is None else np.asarray(items, dtype=np.int64)
        if len(asked) and not 0 <= asked.min() <= asked.max() < len(lengths):
            raise ConfigError(f"items {asked.min()} to {asked.max()} asked for; the store has 0 to {len(lengths) - 1}")
        self._items = asked[lengths[asked] >= min_frames]
        if not len(self._items):
            raise ConfigError(f"none of {len(asked)} items has {min_frames} frames or more")
        self._lengths = np.asarray(lengths, dtype=np.int64)[self._items]
        counts = np.ones_like(self._lengths)
        if frames is not None:
            counts = np.maximum((self._lengths + frames // 2) // frames if random else -(-self._lengths // frames), 1)
        self._ends = np.cumsum(counts)

    def __len__(self) -> int:
        """Examples of an epoch."""
        return int(self._ends[-1])

    def __call__(self, epoch: int, example: int) -> Stretch:
        """The stretch of an example; of `random` crops another one every epoch."""
        if not 0 <= example < len(self):
            raise IndexError(f"example {example}: an epoch has {len(self)}")
        place = int(np.searchsorted(self._ends, example, side="right"))
        item, length = int(self._items[place]), int(self._lengths[place])
        if self.frames is None:
            return Stretch(item, 0, length)
        if self.random:
            spare = max(length - self.frames, 0)
            start = int(generator(self.seed, Stream.TOKEN_CROP, epoch, example).integers(spare + 1))
            return Stretch(item, start, min(self.frames, length))
        start = (example - (int(self._ends[place - 1]) if place else 0)) * self.frames
        return Stretch(item, start, min(self.frames, length - start))
