"""Recordings read block by block, in memory that does not grow with their length."""

import math
import os
from collections.abc import Iterator
from typing import BinaryIO, TypeAlias

import numpy as np
import soundfile as sf

from ..errors import AudioError, ShapeError
from . import wav as wav_file
from .source import Source

SourceFile: TypeAlias = str | os.PathLike[str] | BinaryIO

MAX_CHANNELS = 32
MAX_RATE_HZ = 768_000
MAX_PEAK = 16.0  # 24 dB above full scale: beyond, a float file holds integers or garbage
BLOCK_SECONDS = 8
BLOCK_VALUES = 1 << 20  # samples of all channels together
_WIDEST_SAMPLE = 8  # bytes


class AudioReader:
    """Reads a recording from front to back.

    Args:
        source: path, or binary file object; one that can seek is read from its start, wherever it stands.
    Attributes:
        name: what messages call it.
        sample_rate: Hz.
        channels: C.
        n_samples: per channel, as the header says: for progress, never to be trusted; None where it does not say.
        notes: what the user should know although the recording could be read, complete after the last block.
    Raises:
        AudioError: no such file, not a recording, or its rate or channels are outside what a .anc file can say.
    """

    def __init__(self, source: SourceFile):
        self._source = Source(source)
        self.name = self._source.name
        self.notes: list[str] = []
        sound = self._source.sound
        if sound is not None:
            self.sample_rate, self.channels = int(sound.samplerate), int(sound.channels)
            unknown = (
                sound.frames * sound.channels * _WIDEST_SAMPLE >= wav_file.STREAM_SIZES.start and self._source.is_pipe
            )
            self.n_samples = None if unknown else int(sound.frames)
        else:
            self.sample_rate, self.channels = self._source.empty_flac or (0, 0)
            self.n_samples = 0
        limits = (
            (self.sample_rate, "a sample rate of", MAX_RATE_HZ),
            (self.channels, "a channel count of", MAX_CHANNELS),
        )
        for value, what, high in limits:
            if not 1 <= value <= high:
                self.close()
                raise AudioError(f"{self.name}: has {what} {value}; allowed are 1 to {high}")
        self._promised = self.n_samples
        self._look_at_wav_header()

    def __enter__(self) -> "AudioReader":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened; a file object that was given stays open."""
        self._source.close()

    def blocks(self, block_samples: int | None = None) -> Iterator[np.ndarray]:
        """Read on to the end.

        Args:
            block_samples: samples per channel of each block but the last; by default some seconds' worth.
        Yields:
            [C, n] float32, n >= 1.
        Raises:
            AudioError: the file is damaged, or a sample is not finite or far beyond full scale.
        """
        if self._source.sound is None:
            return
        size = block_samples or default_block(self.sample_rate, self.channels)
        n_read = 0
        while True:
            try:
                frames = self._source.sound.read(size, dtype="float32", always_2d=True)
            except sf.LibsndfileError as error:
                at, reason = n_read / self.sample_rate, str(error.error_string).rstrip(".") or "it cannot be decoded"
                raise AudioError(
                    f"{self.name}: is damaged or cut short within {size / self.sample_rate:.1f} s after {at:.2f} s "
                    f"({reason}); get a whole copy, or repair it"
                ) from error
            if self._source.failure is not None:
                raise AudioError(f"{self.name}: cannot be read on ({self._source.failure})")
            if not len(frames):
                break
            block = np.ascontiguousarray(frames.T)
            check_samples(block, self.sample_rate, self.name, n_read)
            n_read += len(frames)
            yield block
        if self._promised is not None and n_read < self._promised:
            self._note_short(self._promised / self.sample_rate, n_read / self.sample_rate)

    def _look_at_wav_header(self) -> None:
        file, sound = self._source.seekable_file, self._source.sound
        if file is None or sound is None or sound.format not in ("WAV", "WAVEX"):
            return
        position = file.tell()
        chunk = wav_file.find_data(file)
        file.seek(position)
        if chunk is not None and chunk.is_cut_short and chunk.present:
            seconds = sound.frames / self.sample_rate
            self._note_short(seconds * chunk.promised / chunk.present, seconds)
        if chunk is not None and chunk.is_unfinished:
            self.notes.append(
                f"{self.name}: the header says 0 samples but {chunk.present} bytes follow it: "
                "the recorder was stopped; repair the header to get them"
            )

    def _note_short(self, promised_s: float, found_s: float) -> None:
        self.notes.append(
            f"{self.name}: the header promises {promised_s:.2f} s, the file holds {found_s:.2f} s: "
            "it was cut short; what is there was read"
        )


class ArrayReader:
    """Reads samples in memory as `AudioReader` reads a file; the same attributes and the same `blocks`.

    Args:
        wav: [C, L] or [L] float, full scale 1.0.
        sample_rate: Hz.
    Raises:
        ShapeError: another shape, or more channels than allowed: most often [L, C].
        AudioError: samples are integers, or the rate is not allowed.
    """

    def __init__(self, wav: np.ndarray, sample_rate: int):
        wav = wav[None] if wav.ndim == 1 else wav
        if wav.ndim != 2 or not 1 <= wav.shape[0] <= MAX_CHANNELS:
            raise ShapeError(f"wav must be [C, L] with 1 to {MAX_CHANNELS} channels, or [L], got {list(wav.shape)}")
        if not np.issubdtype(wav.dtype, np.floating):
            raise AudioError(
                f"samples must be float with full scale 1, got {wav.dtype}; divide them by their full scale"
            )
        if not 1 <= sample_rate <= MAX_RATE_HZ:
            raise AudioError(f"a sample rate of {sample_rate} is not allowed; allowed are 1 to {MAX_RATE_HZ} Hz")
        self.name, self.notes, self._wav = "array", list[str](), wav
        self.sample_rate, self.channels, self.n_samples = int(sample_rate), wav.shape[0], wav.shape[1]

    def __enter__(self) -> "ArrayReader":
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def blocks(self, block_samples: int | None = None) -> Iterator[np.ndarray]:
        """As `AudioReader.blocks`."""
        size = block_samples or default_block(self.sample_rate, self.channels)
        for start in range(0, self.n_samples, size):
            block = self._wav[:, start : start + size]
            check_samples(block, self.sample_rate, self.name, start)
            yield np.ascontiguousarray(block, dtype=np.float32)


def default_block(sample_rate: int, channels: int) -> int:
    """Return samples per channel of one block: some seconds, fewer where that would be much memory."""
    return max(1, min(BLOCK_SECONDS * sample_rate, BLOCK_VALUES // channels))


def check_samples(wav: np.ndarray, sample_rate: int, name: str, n_before: int = 0) -> None:
    """Refuse samples that no codec can take.

    Args:
        wav: [C, n] float, full scale 1.0.
        sample_rate: Hz, for the message.
        name: what the message calls the recording.
        n_before: samples per channel that came before `wav`.
    Raises:
        AudioError: a sample is not finite or far beyond full scale; the message says which.
    """
    if not wav.size or np.abs(wav).max() <= MAX_PEAK:  # NaN and infinity fail this comparison too
        return
    channel, index = (int(i) for i in np.argwhere(~(np.abs(wav) <= MAX_PEAK))[0])
    value, at = float(wav[channel, index]), n_before + index
    where = f"{name}: sample {at} ({at / sample_rate:.3f} s) of channel {channel + 1} is {value:g}"
    if math.isfinite(value):
        raise AudioError(f"{where}; full scale is 1, allowed is up to {MAX_PEAK:g}; scale the recording down")
    raise AudioError(f"{where}, not a finite number; cut it out or replace it by 0")
