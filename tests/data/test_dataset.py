"""Batches depend on seed, step and row alone."""

import numpy as np
import pytest

from audiocodec.config.training import DataConfig
from audiocodec.data.dataset import CropDataset
from audiocodec.data.manifest import Entry
from audiocodec.data.prefetch import Prefetcher
from audiocodec.data.sampler import RowSampler
from audiocodec.errors import AudioError, ConfigError


class Ramps:
    """A corpus whose samples tell where they come from: recording i holds (i + position / 1e6) / 16."""

    sample_rate = 16000

    def __init__(self, lengths, sources=None, bad=()):
        self.lengths = np.array(lengths)
        names = sources or [""] * len(lengths)
        self.entries = [Entry(f"{i}.wav", n, 1, source=s) for i, (n, s) in enumerate(zip(lengths, names, strict=True))]
        self.bad = set(bad)

    def crop(self, index, start, length):
        if index in self.bad:
            raise AudioError(f"{index}.wav: broken")
        place = start + np.arange(length)
        return np.where(place < self.lengths[index], (index + place / 1e6) / 16, 0.0).astype(np.float32)[None]


PLAIN = DataConfig(polarity=False)


def test_rows_do_not_depend_on_how_they_are_grouped():
    one, two = (CropDataset(Ramps([1000, 3000]), DataConfig(gain_db=(-6, 6)), 100, seed=1) for _ in range(2))
    whole = one.batch(7, range(8)).wav
    two.batch(3, range(8))
    parts = [two.batch(7, rows).wav for rows in (range(4, 8), range(4))]
    np.testing.assert_array_equal(whole, np.concatenate(parts[::-1]))


def test_seed_step_and_row_all_matter():
    dataset = CropDataset(Ramps([10**6]), PLAIN, 100, seed=1)
    first = [dataset.batch(0, [0]), dataset.batch(0, [1]), dataset.batch(1, [0])]
    first.append(CropDataset(Ramps([10**6]), PLAIN, 100, seed=2).batch(0, [0]))
    assert len({float(batch.wav[0, 0, 0]) for batch in first}) == 4


def test_recordings_are_drawn_by_length_times_weight():
    config = DataConfig(polarity=False, source_weights={"b": 3.0, "c": 0.0})
    corpus = Ramps([1000, 1000, 2000, 1000], ["a", "b", "a", "c"])
    drawn = CropDataset(corpus, config, 10, seed=0).batch(0, range(2000)).wav[:, 0, 0] * 16
    shares = np.bincount(drawn.astype(int), minlength=4) / 2000
    np.testing.assert_allclose(shares, [1 / 6, 3 / 6, 2 / 6, 0], atol=0.04)


def test_short_recordings_are_filled_and_every_place_is_reached():
    dataset = CropDataset(Ramps([60, 105]), PLAIN, 100, seed=0)
    wav = dataset.batch(0, range(300)).wav[:, 0] * 16
    short = wav[wav[:, 1] < 1]
    assert len(short) and (short[:, 60:] == 0).all()
    assert {round((x[0] - 1) * 1e6) for x in wav[wav[:, 1] >= 1]} == set(range(6))


def test_gain_and_polarity_stay_in_their_range():
    dataset = CropDataset(Ramps([100]), DataConfig(gain_db=(-6, 6)), 100, seed=0)
    base = Ramps([100]).crop(0, 0, 100)[0, 50]
    gains = dataset.batch(0, range(400)).wav[:, 0, 50] / base
    assert 0.4 < (gains < 0).mean() < 0.6
    db = 20 * np.log10(np.abs(gains))
    assert -6.01 < db.min() < -5.5 and 5.5 < db.max() < 6.01


def test_bad_recordings_are_replaced_alike_every_time_and_reported():
    dataset = CropDataset(Ramps([1000, 1000], bad=[0]), PLAIN, 10, seed=0)
    batch = dataset.batch(0, range(20))
    assert ((batch.wav * 16).astype(int) == 1).all() and {path for path, _ in batch.bad} == {"0.wav"}
    assert batch.bad[0] == ("0.wav", "broken") and dataset.batch(0, range(20)).bad == batch.bad
    np.testing.assert_array_equal(dataset.batch(0, range(20)).wav, batch.wav)


def test_a_corpus_without_good_recordings_is_an_error():
    with pytest.raises(AudioError, match="20 recordings in a row could not be read"):
        CropDataset(Ramps([10], bad=[0]), PLAIN, 10, seed=0).batch(0, [0])
    with pytest.raises(AudioError, match="no recording to draw from"):
        CropDataset(Ramps([10], ["x"]), DataConfig(source_weights={"x": 0.0}), 10, seed=0)


@pytest.mark.parametrize(("world", "accumulate"), [(1, 1), (2, 1), (2, 3), (4, 3)])
def test_processes_share_the_rows_of_a_step(world, accumulate):
    samplers = [RowSampler(24, world, rank, accumulate) for rank in range(world)]
    assert [row for s in samplers for row in s.rows] == list(range(24))
    assert samplers[0].micro_batch_size * world * accumulate == 24


def test_an_uneven_share_is_refused():
    with pytest.raises(ConfigError, match="use a multiple of 6"):
        RowSampler(8, world=3, accumulate=2)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_reading_ahead_keeps_the_order(workers):
    assert list(Prefetcher(lambda n: n * n, 3, 40, workers, 5)) == [n * n for n in range(3, 40)]


def test_reading_ahead_passes_errors_on_and_can_be_left():
    def load(number):
        if number == 2:
            raise AudioError("broken")
        return number

    prefetcher = Prefetcher(load, 0, 10, 2, 4)
    with pytest.raises(AudioError, match="broken"):
        list(prefetcher)
    prefetcher.close()
