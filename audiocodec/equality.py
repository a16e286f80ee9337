"""One signal coded in many ways: whole, padded in a batch, pushed in pieces, in a pool that others join and leave.

`audiocodec doctor` tries a few seconds of it, benchmarks/equality.py hours.
"""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Array
from .pool import DecoderPool, EncoderPool
from .states import AnyCodec
from .streaming import StreamingEncoder

Found = list[NDArray[Any]]  # one array a recording

PUSHES = (1, 7, 320, 1000, 1009, 4001, 16000, 30011)  # samples a push in the pool, drawn at random
FRAMES = (0, 1, 1, 1, 2, 3, 16)  # frames a push when a pool decodes


def whole(codec: AnyCodec, wavs: Sequence[Array]) -> Found:
    """Codes [K, T] of each recording [C, L], alone and at once: what the other ways are compared with."""
    return [_encoded(codec, wav[None])[0] for wav in wavs]


def batched(codec: AnyCodec, wavs: Sequence[Array]) -> Found:
    """Codes of all recordings in one batch, padded to the longest."""
    batch = np.zeros((len(wavs), codec.channels, max(wav.shape[-1] for wav in wavs)), np.float32)
    for row, wav in zip(batch, wavs, strict=True):
        row[:, : wav.shape[-1]] = wav
    codes = _encoded(codec, batch)
    return [some[:, : -(-wav.shape[-1] // codec.hop_length)] for some, wav in zip(codes, wavs, strict=True)]


def _encoded(codec: AnyCodec, wav: Array) -> NDArray[Any]:
    ready: Array = codec.as_wav(wav)
    codes: Array = codec.encode(ready)
    return codec.to_numpy(codes)


def pushed(codec: AnyCodec, wav: Array, size: int) -> NDArray[Any]:
    """Codes of one recording pushed in pieces of `size` samples."""
    encoder = StreamingEncoder(codec)
    wav = codec.as_wav(wav[None])
    parts = [encoder.push(wav[..., start : start + size]) for start in range(0, wav.shape[-1], size)]
    return np.concatenate([codec.to_numpy(part) for part in [*parts, encoder.flush()]], axis=-1)[0]


def pooled(codec: AnyCodec, wavs: Sequence[Array], seed: int = 0) -> Found:
    """Codes of recordings that begin at different times in one pool and come in pieces of random size."""
    return _through(EncoderPool(codec, capacity=len(wavs)), wavs, PUSHES, random.Random(seed), at_once=3)


def pool_decoded(codec: AnyCodec, codes: Sequence[Array], seed: int = 0) -> Found:
    """Audio [C, L] of several recordings' codes [K, T], pushed into one pool in pieces of random size."""
    return _through(DecoderPool(codec, capacity=len(codes)), codes, FRAMES, random.Random(seed), at_once=len(codes))


def _through(
    pool: EncoderPool | DecoderPool, signals: Sequence[Array], sizes: Sequence[int], draw: random.Random, at_once: int
) -> Found:
    """What a pool makes of signals [.., n]: up to `at_once` more begin at every push, each ends when it is through."""
    at, parts, streams = [0] * len(signals), [list[NDArray[Any]]() for _ in signals], dict[int, int]()
    outside, to_numpy = list(range(len(signals))), pool.codec.to_numpy
    while outside or streams:
        for index in outside[: draw.randint(0, at_once)]:
            outside.remove(index)
            streams[index] = pool.add()
        pieces = {}
        for index, stream in streams.items():
            size = draw.choice(sizes)
            pieces[stream] = signals[index][:, at[index] : at[index] + size]
            at[index] += size
        made = pool.push(pieces)
        for index, stream in list(streams.items()):
            parts[index].append(to_numpy(made[stream]))
            if at[index] >= signals[index].shape[-1]:
                parts[index].append(to_numpy(pool.remove(streams.pop(index))))
    return [np.concatenate(some, axis=-1) for some in parts]


def differing(expected: Sequence[Array], found: Sequence[Array]) -> tuple[int, int]:
    """Frames compared, and frames in which any code differs, of codes [K, T]."""
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(expected, found, strict=True)]
    return sum(codes.shape[-1] for codes, _ in pairs), sum(int((a != b).any(axis=0).sum()) for a, b in pairs)
