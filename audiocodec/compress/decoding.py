"""Packets to samples, block by block: whole recordings, stretches of them, and damaged ones with their gaps filled."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ..audio.resample import ResampleStream, resample_blocks, resampled_length
from ..bitstream.container import MODE_LOST, Packet, Reader, StreamInfo
from ..config.facts import BLOCK_FRAMES
from ..errors import BitstreamError, ConfigError
from ..inference import InferenceCodec
from ..streaming import StreamingDecoder, decoder_memory
from .models import AnyCodec, tables_of

Progress: TypeAlias = Callable[[float, float | None], None]
"""progress(seconds of audio done, seconds in all or None while that is not known)."""

_RESAMPLER_REACH = 1024  # samples at the lower rate after which a resampler has forgotten where it began


@dataclass(frozen=True)
class Span:
    """Which samples of a recording are wanted: from `start` up to, not including, `end` (None: to its last one)."""

    start: int = 0
    end: int | None = None

    @classmethod
    def of_seconds(cls, start: float, duration: float | None, rate: int) -> "Span":
        """The samples at `rate` Hz nearest to a stretch in seconds.

        Raises:
            ConfigError: a time that is negative or not finite.
        """
        for name, seconds in (("start", start), ("duration", duration or 0.0)):
            if not 0 <= seconds < 1e9:
                raise ConfigError(f"{name} {seconds} s is no time in a recording; give seconds from 0 up")
        first = round(start * rate)
        return cls(first, None if duration is None else first + round(duration * rate))

    def length(self, in_all: int | None) -> int | None:
        """Samples in it of a recording of `in_all`; None where that is not known."""
        if in_all is None:
            return None
        return max(0, (in_all if self.end is None else min(in_all, self.end)) - self.start)


@dataclass(frozen=True)
class _Entry:
    """Where decoding begins so that it is right from a wanted sample on.

    Args:
        frame: the first one to decode.
        sample: index of the first sample at the codec's rate to hand to the resampler.
        original: index of the first sample, at the original rate, that it gives back.
    """

    frame: int
    sample: int
    original: int


def decode(
    reader: Reader, codec: AnyCodec, progress: Progress | None = None, span: Span = Span(), conceal: bool = False
) -> Iterator[np.ndarray]:
    """Decode a .anc file or a stretch of it; of a file that can be sought only what is needed is read.

    Args:
        reader: at its first packet; tolerant, if damage is to be concealed.
        codec: the one that made the file.
        progress: told after every block.
        span: the samples wanted; a part beyond the end of the recording is left out.
        conceal: fill gaps with what the sound before them suggests; otherwise they are an error.
    Yields:
        [C, n] float32 at the original rate; in all as many samples as the recording had, or, where the file does not
        say (a live stream), as its frames hold. Equal to that stretch of the whole decoded recording to 1e-5.
    Raises:
        BitstreamError: damage.
        ConfigError: the span begins after the end, or a codec without torch is to conceal.
    """
    info, rate = reader.info, reader.info.original_rate
    reader.tables = tables_of(codec)
    _check_start(span, info.original_samples, rate)
    entry, n_samples = _entry(span.start, info, codec), span.length(info.original_samples)
    # Of the last frame a part is padding; how much is known for certain only at the end, so that much is held back.
    held_back = resampled_length(info.hop_length, info.sample_rate, rate) + 1
    held, at = np.zeros((info.channels, 0), np.float32), entry.original
    samples = _decoded(reader, codec, entry, conceal)
    for block in resample_blocks(samples, ResampleStream(info.sample_rate, rate, info.channels)):
        held = np.concatenate([held, block], axis=1)
        if (ready := held.shape[1] - held_back) > 0:
            yield _within(held[:, :ready], at, span)
            held, at = held[:, ready:], at + ready
            if progress is not None:
                progress(max(0, at - span.start) / rate, None if n_samples is None else n_samples / rate)
            if span.end is not None and at >= span.end:
                return
    in_all = reader.info.original_samples
    _check_start(span, at + held.shape[1] if in_all is None else in_all, rate)
    n_rest = held.shape[1] if in_all is None else in_all - at
    if n_rest < 0:
        raise BitstreamError(f"the file says that it holds {in_all} samples, but its frames hold more than {at}")
    # The footer may claim a part of a frame more than there is: that part is silence.
    rest = np.pad(held[:, :n_rest], ((0, 0), (0, max(0, n_rest - held.shape[1]))))
    yield _within(rest, at, span)


def _entry(start: int, info: StreamInfo, codec: AnyCodec) -> _Entry:
    """Where to begin for the sample `start`: early enough for the memory of the network and of the resampler."""
    from_rate, to_rate, hop = info.sample_rate, info.original_rate, info.hop_length
    memory = decoder_memory(codec) if start else None
    if memory is None:
        return _Entry(0, 0, 0)
    reach = 0 if from_rate == to_rate else -(-_RESAMPLER_REACH * max(from_rate, to_rate) // to_rate)
    unit = from_rate // math.gcd(from_rate, to_rate)  # after so many samples the two rates meet again
    sample = max(0, start * from_rate // to_rate - reach) // unit * unit
    frame = max(0, (sample + codec.decoder.delay) // hop - memory)
    return _Entry(frame, sample, sample * to_rate // from_rate)


def _within(block: np.ndarray, at: int, span: Span) -> np.ndarray:
    """The part of a block [C, n], whose first sample has index `at`, that lies in the span."""
    end = at + block.shape[1] if span.end is None else span.end
    return block[:, max(0, span.start - at) : max(0, end - at)]


def _check_start(span: Span, in_all: int | None, rate: int) -> None:
    if in_all is not None and span.start > in_all:
        raise ConfigError(
            f"the stretch begins at {span.start / rate:.3f} s, the recording ends at {in_all / rate:.3f} s"
        )


def _decoded(reader: Reader, codec: AnyCodec, entry: _Entry, conceal: bool) -> Iterator[np.ndarray]:
    """Audio from an entry on, [C, n] at the codec's rate; a packet in parts, for it may hold many minutes."""
    info = reader.info
    decoder = _decoder(codec, info.n_streams, conceal)
    unwanted = entry.sample - entry.frame * info.hop_length
    if entry.frame:
        reader.seek(entry.frame)
    for packet in reader.packets():
        for items in _parts(reader, packet, decoder, entry.frame):
            samples = _channels(items, info)
            yield samples[:, unwanted:]
            unwanted = max(0, unwanted - samples.shape[1])
    yield _channels(codec.to_numpy(decoder.flush()), info)[:, unwanted:]


def _decoder(codec: AnyCodec, n_streams: int, conceal: bool) -> StreamingDecoder:
    if not conceal:
        return StreamingDecoder(codec, n_streams)
    if isinstance(codec, InferenceCodec):
        raise ConfigError(f"concealment needs PyTorch, backend {codec.backend!r} was given; use backend 'torch'")
    from ..concealment import ConcealingDecoder

    return ConcealingDecoder(codec, n_streams)


def _parts(reader: Reader, packet: Packet, decoder: StreamingDecoder, first: int) -> Iterator[np.ndarray]:
    """Audio [S, C, n] of a packet from frame `first` on."""
    size, to_numpy = max(1, BLOCK_FRAMES // reader.info.channels), decoder.codec.to_numpy
    begin = max(0, first - packet.frame)
    if packet.mode == MODE_LOST:
        conceal = getattr(decoder, "conceal", None)
        if conceal is None:
            raise BitstreamError(
                f"frames {packet.frame} to {packet.end - 1} are marked as lost; ask for them to be concealed "
                "(--conceal, in Python conceal=True)"
            )
        for start in range(begin, packet.n_frames, size):
            yield to_numpy(conceal(min(size, packet.n_frames - start)))
        return
    codes = reader.decode(packet)[:, :, begin:].astype(np.int64)
    for start in range(0, codes.shape[2], size):
        frames: object = decoder.codec.as_codes(codes[:, :, start : start + size])
        yield to_numpy(decoder.push(frames))


def _channels(items: np.ndarray, info: StreamInfo) -> np.ndarray:
    """[S, C, n] as [channels of the recording, n]."""
    return np.concatenate(items)[: info.channels]
