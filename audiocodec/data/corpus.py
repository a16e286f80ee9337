"""Recordings at the codec's rate and channels, cut where asked: straight from files, or from a cache made once."""

import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
import soxr

from ..errors import AudioError
from .manifest import Entry

_MARGIN = 256  # input samples read on both sides of a crop, so that the resampler has settled at its edges
_FULL_SCALE = 32767


class Corpus(Protocol):
    """Recordings by number: `lengths` in samples at `sample_rate` (Hz), `crop` the samples themselves."""

    entries: Sequence[Entry]
    lengths: np.ndarray
    sample_rate: int

    def crop(self, index: int, start: int, length: int) -> np.ndarray:
        """[C, length] float32 from sample `start` on, zeros after the end. Raises AudioError."""


class FileCorpus:
    """Reads crops from the files themselves, seeking where the format allows; nothing is kept in memory.

    Args:
        entries: the recordings.
        sample_rate: Hz of the crops.
        channels: C of the crops; a recording of other channels is mixed down or repeated.
    """

    def __init__(self, entries: Sequence[Entry], sample_rate: int, channels: int = 1):
        self.entries, self.sample_rate, self.channels = entries, sample_rate, channels
        self.lengths = np.array([int(e.duration * sample_rate) for e in entries], dtype=np.int64)

    def crop(self, index: int, start: int, length: int) -> np.ndarray:
        """[C, length] float32 from sample `start` on, zeros after the end. Raises AudioError."""
        entry = self.entries[index]
        try:
            with soundfile.SoundFile(str(entry.path)) as file:
                return self._read(file, start, length)
        except (soundfile.SoundFileError, OSError, ValueError, RuntimeError) as error:
            raise AudioError(f"{entry.path}: {error}") from None

    def _read(self, file: soundfile.SoundFile, start: int, length: int) -> np.ndarray:
        unit = file.samplerate // math.gcd(file.samplerate, self.sample_rate)  # input samples that fall on output ones
        scale = self.sample_rate // math.gcd(file.samplerate, self.sample_rate)
        margin = 0 if unit == scale else -(-_MARGIN // unit)
        first = start // scale - margin  # in units; the crop may begin up to a unit early, which matters to nobody
        n_in = (-(-length // scale) + 2 * margin) * unit
        file.seek(min(max(first * unit, 0), file.frames))
        wav = file.read(n_in + min(first, 0) * unit, dtype="float32", always_2d=True)
        if not np.isfinite(wav).all():
            raise ValueError("holds NaN or infinite samples")
        wav = to_channels(wav, self.channels)
        if unit != scale:
            wav = np.pad(wav, ((max(-first, 0) * unit, 0), (0, 0)))
            wav = soxr.resample(wav, file.samplerate, self.sample_rate)[margin * scale :]
        return fit(wav, length).T


class CachedCorpus:
    """Crops from one file of 16-bit samples, mapped into memory: reading costs a copy. Made by `build_cache`."""

    def __init__(self, folder: str | Path, entries: Sequence[Entry], sample_rate: int, channels: int = 1):
        self.sample_rate = sample_rate
        path = cache_path(folder, entries, sample_rate, channels)
        index = json.loads(path.with_suffix(".json").read_text())
        bad = {number for number, _ in index["bad"]}
        self.bad: list[tuple[str, str]] = [(str(entries[number].path), reason) for number, reason in index["bad"]]
        self.entries: Sequence[Entry] = [entry for number, entry in enumerate(entries) if number not in bad]
        self.lengths = np.array(index["lengths"], dtype=np.int64)
        self._ends = np.cumsum(self.lengths)
        self._samples = np.memmap(path, dtype="<i2", mode="r").reshape(-1, channels)

    def crop(self, index: int, start: int, length: int) -> np.ndarray:
        """[C, length] float32 from sample `start` on, zeros after the end."""
        first = int(self._ends[index] - self.lengths[index]) + start
        last = min(first + length, int(self._ends[index]))
        return fit(self._samples[first:last].astype(np.float32) / _FULL_SCALE, length).T


def cache_path(folder: str | Path, entries: Sequence[Entry], sample_rate: int, channels: int) -> Path:
    """Where the cache of these very recordings lies: its name changes when a file, the rate or the channels do."""
    digest = hashlib.sha256(f"{sample_rate} {channels}".encode())
    for entry in entries:
        try:
            status = os.stat(entry.path)
            digest.update(f"{entry.path.resolve()} {status.st_size} {status.st_mtime_ns}".encode())
        except OSError:
            digest.update(f"{entry.path} missing".encode())
    return Path(folder) / f"corpus-{digest.hexdigest()[:16]}.i16"


def build_cache(
    folder: str | Path,
    entries: Sequence[Entry],
    sample_rate: int,
    channels: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Decode every recording once to 16-bit samples at the codec's rate; does nothing where that is done already.

    Unreadable recordings are listed in the cache's index and left out.

    Args:
        folder: made if missing.
        progress: called with (recordings done, recordings in all).
    Raises:
        AudioError: the disk has no room.
    """
    path = cache_path(folder, entries, sample_rate, channels)
    index = path.with_suffix(".json")
    if index.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    need = int(sum(e.duration for e in entries) * sample_rate * channels * 2)
    if (free := shutil.disk_usage(path.parent).free) < need:
        raise AudioError(
            f"{path.parent}: the cache needs {need / 1e6:.0f} MB, {free / 1e6:.0f} MB are free; set data.cache"
        )

    def decode(entry: Entry) -> np.ndarray | str:
        try:
            wav, rate = soundfile.read(str(entry.path), dtype="float32", always_2d=True)
            if not np.isfinite(wav).all():
                return "holds NaN or infinite samples"
            wav = soxr.resample(to_channels(wav, channels), rate, sample_rate) if rate != sample_rate else wav
            return (to_channels(wav, channels).clip(-1, 1) * _FULL_SCALE).round().astype("<i2")
        except (soundfile.SoundFileError, OSError, RuntimeError, ValueError) as error:
            return str(error)

    lengths, bad = [], []
    part = path.with_suffix(f".{secrets.token_hex(4)}.part")  # another machine may have this process id
    try:
        with open(part, "wb") as file, ThreadPoolExecutor() as pool:
            for block in range(0, len(entries), 64):  # bounds what waits in memory
                for number, wav in enumerate(pool.map(decode, entries[block : block + 64]), start=block):
                    if isinstance(wav, str) or not len(wav):
                        bad.append((number, wav if isinstance(wav, str) else "no samples"))
                    else:
                        lengths.append(len(wav))
                        file.write(wav.tobytes())
                    progress(number + 1, len(entries))
            file.flush()
            os.fsync(file.fileno())
        if not lengths:
            raise AudioError(f"none of the {len(entries)} recordings can be read; first reason: {bad[0][1]}")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    draft = part.with_suffix(".json.part")
    draft.write_text(json.dumps({"lengths": lengths, "bad": bad}))
    os.replace(draft, index)  # the index comes last: a cache with an index is complete


def to_channels(wav: np.ndarray, channels: int) -> np.ndarray:
    """[L, c] -> [L, channels]: unchanged, mixed down by the mean, or one channel repeated."""
    if wav.shape[1] == channels:
        return wav
    return np.repeat(wav.mean(axis=1, keepdims=True), channels, axis=1)


def fit(wav: np.ndarray, length: int) -> np.ndarray:
    """[l, C] -> [length, C], cut or filled with zeros at the end."""
    wav = wav[:length]
    return np.pad(wav, ((0, length - len(wav)), (0, 0))) if len(wav) < length else wav
