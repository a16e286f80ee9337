"""The recordings of a run: training crops, validation recordings, and the list of those that could not be read."""

from collections.abc import Callable
from pathlib import Path

from accelerate import Accelerator

from ..config.training import TrainConfig
from ..data.corpus import CachedCorpus, Corpus, FileCorpus, build_cache
from ..data.dataset import Batch, CropDataset
from ..data.manifest import collect
from ..errors import AudioError, ConfigError
from .validation import Validator

_ENOUGH_TRIED = 200  # crops before a share of bad ones means anything


def open_dataset(config: TrainConfig, accelerator: Accelerator, say: Callable[[str], None]) -> CropDataset:
    """Find the training recordings and, where a cache is wanted, decode them once.

    Raises:
        ConfigError: there is nothing to train on.
        AudioError: nothing can be read, or the cache has no room.
    """
    if not config.data.train:
        raise ConfigError("data.train is missing: name a folder or a manifest, for example data.train=my_recordings")
    entries = collect(config.data.train)
    rate, channels = config.model.sample_rate, config.model.channels
    hours = sum(entry.duration for entry in entries) / 3600
    say(f"data.train: {len(entries)} recordings, {hours:.2f} h")
    corpus: Corpus
    if config.data.cache:
        if accelerator.is_local_main_process:
            build_cache(config.data.cache, entries, rate, channels, _cache_progress(say))
        accelerator.wait_for_everyone()
        corpus = cached = CachedCorpus(config.data.cache, entries, rate, channels)
        for path, reason in cached.bad:
            say(f"left out: {path}: {reason}")
    else:
        corpus = FileCorpus(entries, rate, channels)
    return CropDataset(corpus, config.data, config.segment_samples, config.run.seed)


def open_validation(config: TrainConfig, accelerator: Accelerator) -> Validator | None:
    """This process's share of the validation recordings; None where the run has none."""
    if not config.data.valid:
        return None
    entries = collect(config.data.valid)
    return Validator(config, entries, accelerator.process_index, accelerator.num_processes)


class BadFiles:
    """Recordings that could not be read: each is written down once; too many end the run.

    Args:
        path: text file, `path<tab>reason` a line; every process of the run appends its own.
        max_share: of the crops tried.
    """

    def __init__(self, path: Path, max_share: float):
        self.path, self.max_share = path, max_share
        self._seen: set[str] = set()
        self._bad = self._tried = 0

    def add(self, batch: Batch) -> None:
        """Count the crops of a batch.

        Raises:
            AudioError: too many of all crops so far could not be read.
        """
        self._bad += len(batch.bad)
        self._tried += len(batch.bad) + len(batch.wav)
        for path, reason in batch.bad:
            if path not in self._seen:
                self._seen.add(path)
                with open(self.path, "a", encoding="utf-8") as file:
                    file.write(f"{path}\t{reason}\n")
        if self._tried >= _ENOUGH_TRIED and self._bad > self.max_share * self._tried:
            raise AudioError(
                f"{self._bad} of {self._tried} crops could not be read, more than "
                f"data.max_bad_share={self.max_share:g} allows; the recordings are listed in {self.path}"
            )


def _cache_progress(say: Callable[[str], None]) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        if done == total or done % 500 == 0:
            say(f"data.cache: {done} of {total} recordings decoded")

    return report
