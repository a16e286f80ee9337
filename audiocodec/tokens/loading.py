"""From a request to what the encoder takes: opened, cut, its channels laid out, at the codec's rate."""

import errno
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from ..audio.reader import ArrayReader, AudioReader
from ..audio.resample import ResampleStream, resample_blocks
from ..errors import AudioError
from .requests import Request

Channels: TypeAlias = Literal["split", "mix"]
MIXED = -1  # the channel of an item in which all are mixed
_SHORTER_S = 0.1  # a stretch may end so much before the manifest says
_LASTING = frozenset(
    (
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EACCES,
        errno.EPERM,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EINVAL,
    )
)  # faults of the file itself; others come and go with disks, networks and memory
_PAUSES_S = (0.5, 2.0, 8.0)


@dataclass(frozen=True)
class Layout:
    """How the codec takes audio: its rate in Hz, the channels it codes jointly, and what becomes of other channels."""

    sample_rate: int
    channels: int
    spread: Channels = "split"

    def rows(self, channels: int) -> np.ndarray:
        """Which channel of a recording goes where: [streams, codec channels]; the last one fills up what lacks."""
        streams = -(-channels // self.channels)
        return np.minimum(np.arange(streams * self.channels), channels - 1).reshape(streams, -1)


@dataclass
class Recording:
    """An opened request: read `blocks` to the end, then the facts are known."""

    request: Request
    layout: Layout
    samples: int = 0  # read so far, at `sample_rate`
    sample_rate: int = 0  # Hz
    offset: int = 0  # samples
    channels: tuple[int, ...] = ()  # one a stream
    notes: list[str] = field(default_factory=list)

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield [streams, codec channels, n] float32 at the codec's rate.

        Raises:
            AudioError: it is no recording, damaged, or ends before the stretch that is asked for begins.
        """
        with self.request.open() as audio:
            rows = self._lay_out(audio)
            resampler = ResampleStream(audio.sample_rate, self.layout.sample_rate, int(rows.max()) + 1)
            for block in resample_blocks(self._stretch(audio), resampler):
                yield block[rows]
            self.notes += audio.notes

    def _lay_out(self, audio: AudioReader | ArrayReader) -> np.ndarray:
        self.sample_rate, n_channels = audio.sample_rate, audio.channels
        if self.layout.spread == "mix" and n_channels > 1:
            self.channels = (MIXED,)
            return self.layout.rows(1)
        rows = self.layout.rows(n_channels)
        self.channels = tuple(int(row[0]) for row in rows)
        return rows

    def _stretch(self, audio: AudioReader | ArrayReader) -> Iterator[np.ndarray]:
        """What is asked for of the recording, [C, n] at its own rate, mixed where that is wanted."""
        request, rate = self.request, audio.sample_rate
        self.offset = round((request.offset or 0.0) * rate)
        end = None if request.duration is None else round(((request.offset or 0.0) + request.duration) * rate)
        at = 0
        for block in audio.blocks():
            wanted = block[:, max(0, self.offset - at) : None if end is None else max(0, end - at)]
            at += block.shape[1]
            self.samples += wanted.shape[1]
            if wanted.shape[1]:
                yield wanted.mean(axis=0, keepdims=True, dtype=np.float32) if MIXED in self.channels else wanted
            if end is not None and at >= end:
                return
        if request.offset and at < self.offset:
            raise AudioError(f"{audio.name}: ends at {at / rate:.2f} s; the stretch starts at {request.offset:.2f} s")
        if end is not None and end - at > _SHORTER_S * rate:
            self.notes.append(f"{audio.name}: ends at {at / rate:.2f} s; the stretch should end at {end / rate:.2f} s")


@dataclass(frozen=True)
class Loaded:
    """A recording in memory, or why there is none."""

    recording: Recording
    wav: np.ndarray | None  # [streams, codec channels, L] float32; None: too long for memory, or failed
    error: str = ""
    seconds_taken: float = 0.0  # of one thread


def load_all(requests: Sequence[Request], layout: Layout, max_seconds: float) -> list[Loaded]:
    """Read a batch: see `load`."""
    return [load(request, layout, max_seconds) for request in requests]


def load(request: Request, layout: Layout, max_seconds: float) -> Loaded:
    """Read a request into memory.

    Args:
        request: what to read.
        layout: how the codec takes it.
        max_seconds: of audio; what is longer, whatever its header says, is left to be read block by block.
    Raises:
        OSError: what it lies on cannot be read at present, in several tries.
    """
    begin = time.perf_counter()
    recording, wav, error = Recording(request, layout), None, ""
    for pause in (*_PAUSES_S, None):
        recording = Recording(request, layout)
        try:
            wav = _collect(recording, max_seconds)
        except AudioError as fault:
            if _may_pass(fault):
                if pause is None:
                    raise OSError(str(fault)) from fault
                time.sleep(pause)
                continue
            error = plain_error(fault, request)
        break
    return Loaded(recording, wav, error, time.perf_counter() - begin)


def plain_error(error: AudioError, request: Request) -> str:
    """What went wrong, with the recording called as the manifest calls it, so that it reads the same everywhere."""
    return " ".join(
        str(error).replace(repr(request.path), request.source).replace(request.path, request.source).split()
    )


def _collect(recording: Recording, max_seconds: float) -> np.ndarray | None:
    limit, parts, n_samples = max_seconds * recording.layout.sample_rate, [], 0
    for block in recording.blocks():
        parts.append(block)
        n_samples += block.shape[-1]
        if n_samples > limit:
            return None
    if not parts:
        return np.zeros((len(recording.channels), recording.layout.channels, 0), np.float32)
    return np.concatenate(parts, axis=-1)


def _may_pass(error: AudioError) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno is not None and cause.errno not in _LASTING
