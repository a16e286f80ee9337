"""Recordings written block by block: WAV, FLAC, Ogg; a file appears under its name only when it is whole."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, TypeAlias, get_args

import numpy as np
import soundfile as sf

from ..errors import AudioError, ConfigError, ShapeError
from .atomic import atomic_output
from .flac import empty_flac
from .wav import MAX_BYTES, wav_header

TargetFile: TypeAlias = str | os.PathLike[str] | BinaryIO
SampleFormat: TypeAlias = Literal["pcm16", "pcm24", "float32"]

CONTAINERS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG"}  # by the ending of the file's name
LIMITS = {"FLAC": (8, 655_350), "OGG": (255, 200_000)}  # channels, Hz; beyond its own libsndfile's Vorbis crashes
_SUBTYPES = {"pcm16": "PCM_16", "pcm24": "PCM_24", "float32": "FLOAT"}
_SAMPLE_BYTES = {"pcm16": 2, "pcm24": 3, "float32": 4}
_HEADER_ROOM = 4096  # bytes of a WAV file beside its samples, generously
_PART_SAMPLES = 1 << 16  # libsndfile's Vorbis encoder keeps what it is given on the stack: longer parts crash it


def container_of(path: str | os.PathLike[str]) -> str:
    """Return WAV, FLAC or OGG, by the ending of `path`.

    Raises:
        AudioError: another ending.
    """
    ending = Path(path).suffix.lower()
    if ending not in CONTAINERS:
        raise AudioError(
            f"{os.fspath(path)}: cannot write {ending or 'a file without ending'}; use {', '.join(CONTAINERS)}"
        )
    return CONTAINERS[ending]


@contextlib.contextmanager
def open_writer(
    target: TargetFile,
    sample_rate: int,
    channels: int,
    *,
    n_samples: int | None = None,
    sample_format: SampleFormat = "pcm16",
    overwrite: bool = False,
) -> Iterator["AudioWriter"]:
    """Open a recording for writing: `with open_writer("out.wav", 16000, 1) as writer: writer.write(block)`.

    Integer samples are clipped to their range and rounded to nearest, without dither. If the block ends with an error
    no file is left behind, and an older one stays as it was.

    Args:
        target: path ending in .wav, .flac or .ogg (Vorbis), or a binary file object, which gets WAV.
        sample_rate: Hz.
        channels: C.
        n_samples: how many samples per channel will come, where known: a WAV file beyond 4 GiB is then written as RF64,
            and a WAV header on a pipe says its length.
        sample_format: of WAV ("pcm16", "pcm24", "float32") and FLAC (not "float32"); Ogg ignores it.
        overwrite: whether an existing file may be replaced.
    Raises:
        AudioError: the format cannot hold this, the file exists or cannot be written.
        ConfigError: no such sample format.
    """
    if sample_format not in get_args(SampleFormat):
        raise ConfigError(f"sample format must be one of {', '.join(get_args(SampleFormat))}, got {sample_format!r}")
    with contextlib.ExitStack() as stack:
        if isinstance(target, str | os.PathLike):
            name, container = os.fspath(target), container_of(target)
            _check_limits(name, container, sample_rate, channels, sample_format)
            file = stack.enter_context(atomic_output(target, overwrite=overwrite))
        else:
            name, container, file = "output", "WAV", target
        sink: _Sink
        if container == "WAV" and not file.seekable():
            sink = _PipeSink(file, sample_rate, channels, sample_format, n_samples)
        else:
            sink = _FileSink(file, name, sample_rate, channels, sample_format, container, n_samples)
            stack.callback(sink.close)
        yield AudioWriter(sink, name, channels)
        sink.finish()


class AudioWriter:
    """What `open_writer` gives: takes samples, and counts them in `n_written` (per channel)."""

    def __init__(self, sink: "_Sink", name: str, channels: int):
        self.name, self.channels, self.n_written = name, channels, 0
        self._sink = sink

    def write(self, wav: np.ndarray) -> None:
        """Append samples.

        Args:
            wav: [C, n] float, full scale 1.0, n >= 0.
        Raises:
            ShapeError: another number of channels.
            AudioError: a sample is not a finite number.
        """
        if wav.ndim != 2 or wav.shape[0] != self.channels:
            raise ShapeError(f"{self.name}: wav must be [{self.channels}, n], got {list(wav.shape)}")
        if not np.isfinite(wav).all():
            raise AudioError(f"{self.name}: samples to be written are not finite numbers; nothing was written")
        for start in range(0, wav.shape[1], _PART_SAMPLES):
            self._sink.write(wav[:, start : start + _PART_SAMPLES].T)
        self.n_written += wav.shape[1]


class _Sink(Protocol):
    """Where interleaved frames [n, C] go."""

    def write(self, frames: np.ndarray) -> None: ...

    def finish(self) -> None:
        """Complete the file after the last frame."""


class _FileSink:
    """A seekable file, through libsndfile."""

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        sample_rate: int,
        channels: int,
        sample_format: SampleFormat,
        container: str,
        n_samples: int | None,
    ):
        self._file, self._name, self._n_written = file, name, 0
        self._most = (
            (MAX_BYTES - _HEADER_ROOM) // (channels * _SAMPLE_BYTES[sample_format]) if container == "WAV" else None
        )
        if self._most is not None and (n_samples or 0) > self._most:
            container, self._most = "RF64", None
        subtype = "VORBIS" if container == "OGG" else _SUBTYPES[sample_format]
        self._sample_format = None if subtype in ("VORBIS", "FLOAT") else sample_format
        self._if_empty = b""
        if container == "FLAC":
            self._if_empty = empty_flac(sample_rate, channels, 8 * _SAMPLE_BYTES[sample_format])
        # Errors of a Python file inside libsndfile's callbacks would be printed, not raised: give it the descriptor.
        where = file.fileno() if isinstance(file, io.BufferedRandom) else file
        with self._errors():
            self._sound = sf.SoundFile(where, "w", sample_rate, channels, subtype, format=container, closefd=False)

    def write(self, frames: np.ndarray) -> None:
        self._n_written += len(frames)
        if self._most is not None and self._n_written > self._most:
            raise AudioError(f"{self._name}: a WAV file holds at most 4 GiB; write .flac")
        with self._errors():
            self._sound.write(_to_integers(frames, self._sample_format) if self._sample_format else np.float32(frames))

    def finish(self) -> None:
        with self._errors():
            self._sound.close()
        if not self._n_written and self._if_empty:
            self._file.seek(0)
            self._file.write(self._if_empty)

    def close(self) -> None:
        """Let go of the file, complete or not."""
        with contextlib.suppress(sf.LibsndfileError):
            self._sound.close()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Tell what libsndfile says; by AssertionError soundfile says that not all was written."""
        try:
            yield
        except (sf.LibsndfileError, AssertionError) as error:
            reason = getattr(error, "error_string", "").rstrip(".") or "the disk may be full"
            raise AudioError(f"{self._name}: cannot be written ({reason})") from error


class _PipeSink:
    """WAV into a pipe: a header first, then samples; nothing is patched afterwards."""

    def __init__(self, file: BinaryIO, sample_rate: int, channels: int, sample_format: SampleFormat, n: int | None):
        self._file, self._format = file, sample_format
        is_float, width = sample_format == "float32", _SAMPLE_BYTES[sample_format]
        file.write(wav_header(sample_rate, channels, width, is_float=is_float, n_samples=n))

    def write(self, frames: np.ndarray) -> None:
        self._file.write(_to_bytes(frames, self._format))
        self._file.flush()  # who listens live shall not wait for a buffer to fill

    def finish(self) -> None:
        self._file.flush()


def _to_integers(frames: np.ndarray, sample_format: SampleFormat) -> np.ndarray:
    """Clip and round: int16, or for 24 bits int32 with 8 zero bits below, as libsndfile takes them."""
    full_scale = 1 << (8 * _SAMPLE_BYTES[sample_format] - 1)
    rounded = np.clip(np.rint(frames.astype(np.float64) * full_scale), -full_scale, full_scale - 1)
    return rounded.astype(np.int16) if sample_format == "pcm16" else rounded.astype(np.int32) << 8


def _to_bytes(frames: np.ndarray, sample_format: SampleFormat) -> bytes:
    """Return interleaved little-endian samples."""
    if sample_format == "float32":
        return frames.astype("<f4").tobytes()
    integers = _to_integers(frames, sample_format)
    if sample_format == "pcm16":
        return integers.astype("<i2").tobytes()
    return np.ascontiguousarray(integers.astype("<i4")).view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()


def _check_limits(name: str, container: str, sample_rate: int, channels: int, sample_format: SampleFormat) -> None:
    if container not in LIMITS:
        return
    if container == "FLAC" and sample_format == "float32":
        raise AudioError(f"{name}: FLAC holds integers, not float32; use pcm16 or pcm24, or write .wav")
    most_channels, most_hz = LIMITS[container]
    if channels > most_channels or sample_rate > most_hz:
        raise AudioError(
            f"{name}: {container} holds up to {most_channels} channels and {most_hz} Hz, "
            f"this recording has {channels} and {sample_rate}; write .wav"
        )
