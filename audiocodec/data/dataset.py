"""Random training crops: a pure function of seed, step and row, whatever is resumed, repeated or unreadable."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..config.training import DataConfig
from ..errors import AudioError
from . import augment
from .corpus import Corpus
from .seeding import Stream, generator

_MAX_ATTEMPTS = 20  # crops tried for one row before the corpus counts as broken


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops of one step and what went wrong while they were read."""

    wav: np.ndarray  # [B, C, L] float32
    bad: tuple[tuple[str, str], ...] = ()  # (path, reason) of every crop that could not be read and was replaced


class CropDataset:
    """Draws crops: a recording by its length times the weight of its source, then a place in it, then augmentation.

    Args:
        corpus: recordings at the codec's rate.
        config: weights by source, gain, polarity, augmentation.
        segment: samples of a crop; shorter recordings are filled with zeros at the end.
        seed: of the run.
    Raises:
        AudioError: no recording has a weight above 0.
    """

    def __init__(self, corpus: Corpus, config: DataConfig, segment: int, seed: int):
        self.corpus, self.config, self.segment, self.seed = corpus, config, segment, seed
        weights = np.array([config.source_weights.get(entry.source, 1.0) for entry in corpus.entries])
        mass = weights * corpus.lengths
        if not mass.sum() > 0:
            raise AudioError("no recording to draw from: all are empty, or data.source_weights is 0 for every source")
        self._cumulative = np.cumsum(mass / mass.sum())

    def batch(self, step: int, rows: Iterable[int]) -> Batch:
        """The crops of some rows of a step.

        Raises:
            AudioError: one row met `_MAX_ATTEMPTS` unreadable recordings in a row.
        """
        bad: list[tuple[str, str]] = []
        return Batch(np.stack([self._row(step, row, bad) for row in rows]), tuple(bad))

    def _row(self, step: int, row: int, bad: list[tuple[str, str]]) -> np.ndarray:
        for attempt in range(_MAX_ATTEMPTS):
            rng = generator(self.seed, Stream.CROP, step, row, attempt)
            changes = generator(self.seed, Stream.AUGMENT, step, row, attempt)  # crops stay where they are without any
            try:
                speed = augment.drawn_speed(self.config.augment, changes)
                wav = augment.at_speed(
                    self._crop(rng, augment.samples_needed(self.segment, speed)), speed, self.segment
                )
                wav = self._changed(wav, changes)
                return augment.within_full_scale(wav * self._gain(rng))
            except _UnreadableError as error:
                bad.append((error.path, error.reason))
        raise AudioError(
            f"{_MAX_ATTEMPTS} recordings in a row could not be read, the last one {bad[-1][0]}: {bad[-1][1]}"
        )

    def _crop(self, rng: np.random.Generator, length: int) -> np.ndarray:
        """[C, length] of a recording and a place that are drawn."""
        index = min(int(np.searchsorted(self._cumulative, rng.random(), side="right")), len(self._cumulative) - 1)
        start = int(rng.integers(max(int(self.corpus.lengths[index]) - length, 0) + 1))
        try:
            return self.corpus.crop(index, start, length)
        except AudioError as error:
            path = str(self.corpus.entries[index].path)
            raise _UnreadableError(path, str(error).removeprefix(f"{path}: ")) from error

    def _changed(self, wav: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """What of `data.augment` the dice give this crop."""
        config = self.config.augment
        if config.mix and rng.random() < config.mix:
            wav = augment.mixed(wav, self._crop(rng, self.segment), rng.uniform(*config.mix_db))
        if config.narrow and rng.random() < config.narrow:
            wav = augment.narrowed(wav, rng.uniform(*config.narrow_hz), self.corpus.sample_rate)
        if config.pause and rng.random() < config.pause:
            length = min(int(rng.uniform(*config.pause_s) * self.corpus.sample_rate), self.segment)
            start = int(rng.integers(self.segment - length + 1))
            wav = augment.paused(wav, start, length, self.corpus.sample_rate)
        return wav

    def _gain(self, rng: np.random.Generator) -> np.float32:
        gain = 10 ** (rng.uniform(*self.config.gain_db) / 20)
        if self.config.polarity and rng.random() < 0.5:
            gain = -gain
        return np.float32(gain)


class _UnreadableError(Exception):
    """A recording that a crop was wanted of."""

    def __init__(self, path: str, reason: str):
        self.path, self.reason = path, reason
