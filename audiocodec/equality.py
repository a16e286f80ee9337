"""One signal coded in many ways: whole, padded in a batch, pushed in pieces, in a pool that others join and leave.

`audiocodec doctor` tries a few seconds of it, benchmarks/equality.py hours.
"""

import random
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .codec import Codec
from .pool import DecoderPool, EncoderPool
from .streaming import StreamingEncoder

PUSHES = (1, 7, 320, 1000, 1009, 4001, 16000, 30011)  # samples a push in the pool, drawn at random
FRAMES = (0, 1, 1, 1, 2, 3, 16)  # frames a push when a pool decodes


def whole(codec: Codec, wavs: Sequence[Tensor]) -> list[Tensor]:
    """Codes [K, T] of each recording [C, L], alone and at once: what the other ways are compared with."""
    return [codec.encode(wav[None])[0] for wav in wavs]


def batched(codec: Codec, wavs: Sequence[Tensor]) -> list[Tensor]:
    """Codes of all recordings in one batch, padded to the longest."""
    longest = max(wav.shape[-1] for wav in wavs)
    codes = codec.encode(torch.stack([functional.pad(wav, (0, longest - wav.shape[-1])) for wav in wavs]))
    return [some[:, : -(-wav.shape[-1] // codec.hop_length)] for some, wav in zip(codes, wavs, strict=True)]


def pushed(codec: Codec, wav: Tensor, size: int) -> Tensor:
    """Codes of one recording pushed in pieces of `size` samples."""
    encoder = StreamingEncoder(codec)
    return torch.cat([*(encoder.push(piece[None]) for piece in wav.split(size, dim=-1)), encoder.flush()], dim=-1)[0]


def pooled(codec: Codec, wavs: Sequence[Tensor], seed: int = 0) -> list[Tensor]:
    """Codes of recordings that begin at different times in one pool and come in pieces of random size."""
    return _through(EncoderPool(codec, capacity=len(wavs)), wavs, PUSHES, random.Random(seed), at_once=3)


def pool_decoded(codec: Codec, codes: Sequence[Tensor], seed: int = 0) -> list[Tensor]:
    """Audio [C, L] of several recordings' codes [K, T], pushed into one pool in pieces of random size."""
    return _through(DecoderPool(codec, capacity=len(codes)), codes, FRAMES, random.Random(seed), at_once=len(codes))


def _through(
    pool: EncoderPool | DecoderPool, signals: Sequence[Tensor], sizes: Sequence[int], draw: random.Random, at_once: int
) -> list[Tensor]:
    """What a pool makes of signals [.., n]: up to `at_once` more begin at every push, each ends when it is through."""
    at, parts, streams = [0] * len(signals), [list[Tensor]() for _ in signals], dict[int, int]()
    outside = list(range(len(signals)))
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
            parts[index].append(made[stream])
            if at[index] >= signals[index].shape[-1]:
                parts[index].append(pool.remove(streams.pop(index)))
    return [torch.cat(some, dim=-1) for some in parts]


def differing(expected: Sequence[Tensor], found: Sequence[Tensor]) -> tuple[int, int]:
    """Frames compared, and frames in which any code differs, of codes [K, T]."""
    pairs = list(zip(expected, found, strict=True))
    return sum(codes.shape[-1] for codes, _ in pairs), sum(int((a != b).any(dim=0).sum()) for a, b in pairs)
