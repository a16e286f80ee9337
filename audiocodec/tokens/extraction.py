"""Recordings to codes: batches of like lengths whose codes are those of every recording alone, decoded ahead."""

import copy
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..arrays import Array
from ..codec import Codec
from ..data.prefetch import Prefetcher
from ..errors import AudioError, ConfigError
from ..states import AnyCodec
from ..streaming import StreamingEncoder
from .loading import Channels, Layout, Loaded, Recording, load_all, plain_error
from .requests import ArrayRequest, Request, find_requests
from .shards import CODE

Source: TypeAlias = str | os.PathLike[str] | np.ndarray | Tensor
CPU_BATCH_S, GPU_BATCH_S = 30.0, 600.0  # more is no faster: a CPU's cache, a GPU's cores are full
LONG_S = 60.0  # at least this much is read into memory before a recording counts as long
_UNKNOWN_S = 10.0  # what a recording of unknown length counts in planning batches


@dataclass
class Timings:
    """Where the time went, s."""

    encoding: float = 0.0  # codec at work
    waiting: float = 0.0  # codec idle, since the next audio was not there yet
    decoding: float = 0.0  # of the threads that read ahead, all together
    writing: float = 0.0  # shards

    def __add__(self, other: "Timings") -> "Timings":
        return Timings(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Extracted:
    """What came of a request: codes [K, T] uint16 of each of its streams, or an error."""

    recording: Recording
    codes: list[np.ndarray] = field(default_factory=list)
    error: str = ""


class Extractor:
    """Turns requests into codes with one codec.

    Codes do not depend on `batch_seconds`, on neighbours or on order: encoders look only back, so that padding at the
    end changes nothing before it, and encode in float64 (see `Codec`), so that a batch's shape does not either.

    Args:
        codec: on the device where it shall run.
        n_q: codebooks to keep (default all).
        channels: "split": each channel of a recording is an item; "mix": all are mixed to one.
        batch_seconds: of audio encoded at once, padding included (default by device).
        decode_workers: threads that decode ahead; 0: none.
    """

    def __init__(
        self,
        codec: AnyCodec,
        *,
        n_q: int | None = None,
        channels: Channels = "split",
        batch_seconds: float | None = None,
        decode_workers: int = 2,
    ):
        if channels not in ("split", "mix"):
            raise ConfigError(f"channels={channels!r}: expected 'split' (an item a channel) or 'mix'")
        default = CPU_BATCH_S if device_of(codec) == "cpu" else GPU_BATCH_S
        self.codec, self.n_q = codec, codec.check_n_q(n_q)
        self.batch_seconds = default if batch_seconds is None else batch_seconds
        if not self.batch_seconds > 0:
            raise ConfigError(f"batch_seconds={self.batch_seconds}: expected more than 0")
        self.layout = Layout(codec.sample_rate, codec.channels, channels)
        self.decode_workers = decode_workers
        self.max_seconds = max(self.batch_seconds, LONG_S)
        self.timings = Timings()

    def for_channels(self, channels: Channels) -> "Extractor":
        """The same with another treatment of channels; its codec is shared."""
        other = copy.copy(self)
        other.layout, other.timings = replace(self.layout, spread=channels), Timings()
        return other

    def run(self, requests: Sequence[Request]) -> list[Extracted]:
        """Extract all of `requests`; what fails is told in its place.

        Raises:
            OSError: what the recordings lie on cannot be read at present.
        """
        results: dict[int, Extracted] = {}
        with self.codec.denormals_flushed():
            for numbers, loaded in self.loaded(requests):
                results |= dict(zip(numbers, self.encode(loaded), strict=True))
        return [results[number] for number in range(len(requests))]

    def loaded(self, requests: Sequence[Request]) -> Iterator[tuple[list[int], list[Loaded]]]:
        """Yield batches of `requests`: their numbers, and the recordings, decoded ahead."""
        batches = plan_batches([request.seconds for request in requests], self.batch_seconds)
        begin = time.perf_counter()
        for numbers, loaded in zip(batches, self.load_ahead(requests, batches), strict=True):
            self.timings.waiting += time.perf_counter() - begin
            self.timings.decoding += sum(one.seconds_taken for one in loaded)
            yield numbers, loaded
            begin = time.perf_counter()

    def load_ahead(self, requests: Sequence[Request], batches: Sequence[Sequence[int]]) -> Iterator[list[Loaded]]:
        """Yield the recordings of each batch in turn while threads decode the next ones."""

        def load_batch(number: int) -> list[Loaded]:
            return load_all([requests[i] for i in batches[number]], self.layout, self.max_seconds)

        ahead = Prefetcher(load_batch, 0, len(batches), self.decode_workers, 2 * self.decode_workers)
        try:
            yield from ahead
        finally:
            ahead.close()

    def encode(self, loaded: Sequence[Loaded]) -> list[Extracted]:
        """Encode recordings side by side; those too long for memory one by one, as streams."""
        begin = time.perf_counter()
        streams = [(i, wav) for i, one in enumerate(loaded) if one.wav is not None for wav in one.wav]
        codes: dict[int, list[np.ndarray]] = {i: [] for i in range(len(loaded))}
        # The lengths that were planned with are those that headers claim; these are the real ones.
        seconds = [wav.shape[-1] / self.codec.sample_rate for _, wav in streams]
        found: dict[int, np.ndarray] = {}
        for batch in plan_batches(seconds, self.batch_seconds):
            found |= dict(zip(batch, self._encode_batch([streams[j][1] for j in batch]), strict=True))
        for j, (i, _) in enumerate(streams):
            codes[i].append(found[j])
        results = [self._result(one, codes[i]) for i, one in enumerate(loaded)]
        self.timings.encoding += time.perf_counter() - begin
        return results

    def _result(self, loaded: Loaded, codes: list[np.ndarray]) -> Extracted:
        if loaded.error:
            return Extracted(loaded.recording, error=loaded.error)
        if loaded.wav is not None:
            return Extracted(loaded.recording, codes)
        return self._encode_long(loaded.recording.request)

    def _encode_batch(self, wavs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Codes [K, T] of each of `wavs` [C, L], padded to one length; in halves where a GPU's memory is too small."""
        lengths = [wav.shape[-1] for wav in wavs]
        padded = np.zeros((len(wavs), self.codec.channels, max(lengths)), np.float32)
        for row, wav in zip(padded, wavs, strict=True):
            row[:, : wav.shape[-1]] = wav
        try:
            ready: Array = self.codec.as_wav(padded)
            found: Array = self.codec.encode(ready, self.n_q)
            codes = self.codec.to_numpy(found).astype(CODE)
        except torch.OutOfMemoryError:
            if len(wavs) == 1:
                raise
            half = len(wavs) // 2
            return [*self._encode_batch(wavs[:half]), *self._encode_batch(wavs[half:])]
        return [one[:, : -(-n // self.codec.hop_length)] for one, n in zip(codes, lengths, strict=True)]

    def _encode_long(self, request: Request) -> Extracted:
        """Encode a recording block by block."""
        recording = Recording(request, self.layout)
        encoder: StreamingEncoder | None = None
        parts: list[np.ndarray] = []
        try:
            for block in recording.blocks():
                encoder = encoder or StreamingEncoder(self.codec, len(block), self.n_q)
                parts.append(self.codec.to_numpy(encoder.push(block)).astype(CODE))
        except AudioError as error:
            return Extracted(recording, error=plain_error(error, request))
        assert encoder is not None  # it is long: there were blocks
        parts.append(self.codec.to_numpy(encoder.flush()).astype(CODE))
        return Extracted(recording, list(np.concatenate(parts, axis=-1)))


def extract(
    codec: AnyCodec,
    audio: Source | Sequence[Source],
    *,
    sample_rate: int | None = None,
    n_q: int | None = None,
    channels: Channels = "split",
    batch_seconds: float | None = None,
    decode_workers: int = 2,
) -> list[np.ndarray]:
    """Turn audio into codes, on a GPU where there is one.

    codes = extract(codec, ["a.flac", "b.mp3"])             # [K, T] uint16 each
    codes = extract(codec, "train.jsonl", batch_seconds=60)
    codes = extract(codec, wavs, sample_rate=16000)

    Args:
        codec: makes the codes; an `InferenceCodec` by ONNX Runtime in float32 is the fastest on CPUs, whose codes are
            then those of this machine (docs/streaming.md).
        audio: path of a recording, a folder or a manifest (`.jsonl`), samples [C, L] or [L] float, or a list of such.
        sample_rate: of samples, Hz; recordings say their own.
        n_q: codebooks to keep (default all).
        channels: "split": each channel of a recording counts as one; "mix": all are mixed to one.
        batch_seconds: of audio encoded at once; changes speed and memory, never the codes.
        decode_workers: threads that decode ahead.
    Returns:
        Codes [K, T] uint16, T = ceil(samples at the codec's rate / hop_length), one array a channel, in order.
    Raises:
        AudioError: a recording cannot be read; the first one is named.
        ConfigError: nothing there, or samples without their rate.
    """
    requests = [request for one in _listed(audio) for request in _requests_of(one, sample_rate)]
    options: dict[str, Any] = {"n_q": n_q, "channels": channels, "batch_seconds": batch_seconds}
    extractor = Extractor(on_device(codec), decode_workers=decode_workers, **options)
    results = extractor.run(requests)
    for result in results:
        if result.error:
            raise AudioError(result.error)
    return [codes for result in results for codes in result.codes]


def device_of(codec: AnyCodec) -> str:
    """Kind of device that a codec computes on."""
    return next(codec.parameters()).device.type if isinstance(codec, Codec) else "cpu"


C = TypeVar("C", bound=AnyCodec)


def on_device(codec: C, device: str | None = None) -> C:
    """The codec itself where it is on a GPU already, there is none, or it knows none; else a copy of it there.

    Args:
        codec: stays as it is.
        device: where to; None: the first NVIDIA GPU, else where the codec is.
    """
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if not isinstance(codec, Codec) or device_of(codec) != "cpu" or torch.device(device).type == "cpu":
        return codec
    return copy.deepcopy(codec).to(device)


def plan_batches(seconds: Sequence[float], batch_seconds: float) -> list[list[int]]:
    """Put like lengths together.

    Args:
        seconds: length of each recording, 0 where unknown.
        batch_seconds: number of recordings times the longest stays below this; one alone may exceed it.
    Returns:
        numbers of the recordings, batch by batch, the longest first: what memory is needed shows at once.
    """
    lengths = [length or _UNKNOWN_S for length in seconds]
    batches: list[list[int]] = []
    for number in sorted(range(len(lengths)), key=lambda n: (-lengths[n], n)):
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= batch_seconds:
            batches[-1].append(number)
        else:
            batches.append([number])
    return batches


def _listed(audio: Source | Sequence[Source]) -> Sequence[Source]:
    if isinstance(audio, str | os.PathLike | np.ndarray | Tensor):
        return [audio]
    return audio


def _requests_of(audio: Source, sample_rate: int | None) -> Iterator[Request]:
    if isinstance(audio, str | os.PathLike):
        yield from find_requests([Path(audio)])
        return
    if sample_rate is None:
        raise ConfigError("samples do not say their rate: give sample_rate in Hz")
    wav = audio.detach().cpu().numpy() if isinstance(audio, Tensor) else audio
    seconds = wav.shape[-1] / sample_rate
    yield ArrayRequest("array", "array", "array", seconds, wav=wav, sample_rate=sample_rate)
