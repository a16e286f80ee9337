"""Crops from files and from the cache, against whole decoding."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from audiocodec.data.corpus import CachedCorpus, FileCorpus, build_cache, cache_path
from audiocodec.data.manifest import Entry, probe
from audiocodec.errors import AudioError

RATE = 16000


def noise(samples: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (samples, channels)).astype(np.float32)


def recording(path: Path, wav: np.ndarray, rate: int = RATE, subtype: str = "FLOAT") -> Entry:
    soundfile.write(path, wav, rate, subtype=subtype)
    return probe(path)


def test_crops_at_the_files_rate_are_its_samples(tmp_path):
    wav = noise(1000)
    corpus = FileCorpus([recording(tmp_path / "a.wav", wav)], RATE)
    assert corpus.lengths.tolist() == [1000]
    np.testing.assert_array_equal(corpus.crop(0, 300, 200), wav[300:500].T)
    np.testing.assert_array_equal(corpus.crop(0, 900, 200), np.pad(wav[900:], ((0, 100), (0, 0))).T)


@pytest.mark.parametrize("rate", [8000, 22050, 24000, 44100, 48000])
@pytest.mark.parametrize("start", [0, 3200, 12800])
def test_a_resampled_crop_is_a_crop_of_the_resampled_whole(tmp_path, rate, start):
    wav = noise(rate)
    corpus = FileCorpus([recording(tmp_path / "a.wav", wav, rate)], RATE)
    whole = soxr.resample(wav, rate, RATE)
    scale = RATE // math.gcd(rate, RATE)
    begin = start // scale * scale  # where input and output samples coincide, at most `scale` samples early
    np.testing.assert_allclose(corpus.crop(0, start, 1600), whole[begin : begin + 1600].T, atol=1e-2)


def test_channels_are_mixed_down_or_repeated(tmp_path):
    stereo, mono = noise(500, 2), noise(500)
    entries = [recording(tmp_path / "s.wav", stereo), recording(tmp_path / "m.wav", mono)]
    np.testing.assert_allclose(FileCorpus(entries, RATE, 1).crop(0, 0, 500)[0], stereo.mean(1), atol=1e-7)
    np.testing.assert_array_equal(FileCorpus(entries, RATE, 2).crop(0, 0, 500), stereo.T)
    np.testing.assert_array_equal(FileCorpus(entries, RATE, 2).crop(1, 0, 500), np.repeat(mono, 2, axis=1).T)


@pytest.mark.parametrize("fault", ["gone", "text", "nan"])
def test_unreadable_recordings_are_audio_errors(tmp_path, fault):
    wav = noise(500)
    wav[250] = np.nan if fault == "nan" else 0.0
    entry = recording(tmp_path / "a.wav", wav)
    if fault == "gone":
        entry.path.unlink()
    elif fault == "text":
        entry.path.write_text("no audio")
    with pytest.raises(AudioError, match=r"a\.wav"):
        FileCorpus([entry], RATE).crop(0, 200, 100)


def test_the_cache_gives_16_bit_copies_of_the_same_crops_and_lists_what_is_bad(tmp_path):
    entries = [recording(tmp_path / f"{n}.wav", noise(700 + n, seed=n)) for n in range(3)]
    entries.append(recording(tmp_path / "24k.wav", noise(2400), 24000))
    entries[1].path.write_text("no audio")
    seen = []
    build_cache(tmp_path / "cache", entries, RATE, progress=lambda done, total: seen.append((done, total)))
    cached = CachedCorpus(tmp_path / "cache", entries, RATE)
    assert seen[-1] == (4, 4) and [e.path.name for e in cached.entries] == ["0.wav", "2.wav", "24k.wav"]
    assert len(cached.bad) == 1 and cached.bad[0][0].endswith("1.wav")
    assert cached.lengths.tolist() == [700, 702, 1600]
    files = FileCorpus([entries[0], entries[2]], RATE)
    for index, start in ((0, 600), (1, 0), (1, 500)):
        np.testing.assert_allclose(cached.crop(index, start, 400), files.crop(index, start, 400), atol=0.6 / 32767)


def test_the_cache_is_made_once_and_anew_when_a_recording_changes(tmp_path):
    entry = recording(tmp_path / "a.wav", noise(700))
    build_cache(tmp_path / "cache", [entry], RATE)
    path = cache_path(tmp_path / "cache", [entry], RATE, 1)
    made = path.stat().st_mtime_ns
    build_cache(tmp_path / "cache", [entry], RATE)
    assert path.stat().st_mtime_ns == made
    changed = recording(tmp_path / "a.wav", noise(800))
    assert cache_path(tmp_path / "cache", [changed], RATE, 1) != path
    assert cache_path(tmp_path / "cache", [entry], 8000, 1) != path


def test_a_cache_without_room_or_without_recordings_is_refused(tmp_path):
    entry = recording(tmp_path / "a.wav", noise(700))
    with pytest.raises(AudioError, match="the cache needs"):
        build_cache(tmp_path / "c", [dataclasses.replace(entry, duration=1e12)], RATE)
    entry.path.write_text("no audio")
    with pytest.raises(AudioError, match="none of the 1 recordings can be read"):
        build_cache(tmp_path / "c", [entry], RATE)
    assert not list((tmp_path / "c").iterdir())
