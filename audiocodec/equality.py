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
    pool, draw = EncoderPool(codec, capacity=len(wavs)), random.Random(seed)
    at, parts, streams = [0] * len(wavs), [list[Tensor]() for _ in wavs], dict[int, int]()
    outside = list(range(len(wavs)))
    while outside or streams:
        for index in outside[: draw.randint(0, 3)]:
            outside.remove(index)
            streams[index] = pool.add()
        pieces = {}
        for index, stream in streams.items():
            size = draw.choice(PUSHES)
            pieces[stream] = wavs[index][:, at[index] : at[index] + size]
            at[index] += size
        codes = pool.push(pieces)
        for index, stream in list(streams.items()):
            parts[index].append(codes[stream])
            if at[index] >= wavs[index].shape[-1]:
                parts[index].append(pool.remove(streams.pop(index)))
    return [torch.cat(some, dim=-1) for some in parts]


def pool_decoded(codec: Codec, codes: Sequence[Tensor], seed: int = 0) -> list[Tensor]:
    """Audio [C, L] of several recordings' codes [K, T], pushed into one pool in pieces of random size."""
    pool, draw = DecoderPool(codec, capacity=len(codes)), random.Random(seed)
    at, parts = [0] * len(codes), [list[Tensor]() for _ in codes]
    streams = {index: pool.add() for index in range(len(codes))}
    while streams:
        pieces = {}
        for index, stream in streams.items():
            size = draw.choice(FRAMES)
            pieces[stream] = codes[index][:, at[index] : at[index] + size]
            at[index] += size
        wavs = pool.push(pieces)
        for index, stream in list(streams.items()):
            parts[index].append(wavs[stream])
            if at[index] >= codes[index].shape[-1]:
                parts[index].append(pool.remove(streams.pop(index)))
    return [torch.cat(some, dim=-1) for some in parts]


def differing(expected: Sequence[Tensor], found: Sequence[Tensor]) -> tuple[int, int]:
    """Frames compared, and frames in which any code differs, of codes [K, T]."""
    pairs = list(zip(expected, found, strict=True))
    return sum(codes.shape[-1] for codes, _ in pairs), sum(int((a != b).any(dim=0).sum()) for a, b in pairs)
