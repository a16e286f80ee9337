"""Items of a store back to audio: whole, or a stretch with as much before it as the decoder remembers."""

import math

import numpy as np
import torch

from ..audio.resample import resample, resampled_length
from ..codec import Codec
from ..compress.models import load_torch
from ..errors import ConfigError
from ..nn.denormals import denormals_flushed
from .item import TokenItem
from .store import TokenStore

WARM_FRAMES = 256  # decoded before a stretch and thrown away: more than any decoder of ours looks back


def decode_item(
    item: TokenItem,
    codec: Codec | str | None = None,
    *,
    n_q: int | None = None,
    start_s: float = 0.0,
    seconds: float | None = None,
) -> tuple[np.ndarray, int]:
    """Decode an item.

    Args:
        item: of a store.
        codec: what made it, its name or folder; default: the shipped model that the store names.
        n_q: only the first codebooks (default all).
        start_s: where to begin, s.
        seconds: how much; default: to the end.
    Returns:
        wav [C, L] float32 at the rate of the recording, and that rate in Hz; a whole item has as many samples as the
        recording had, C is the number of channels that the codec codes jointly.
    Raises:
        ModelMismatchError: another codec than the one that made it.
        ConfigError: no such stretch or number of codebooks.
    """
    header = item.store.header
    codec = codec_of(item.store, codec)
    n_q = header.n_q if n_q is None else n_q
    if not 1 <= n_q <= header.n_q:
        raise ConfigError(f"n_q={n_q}: the store holds codebooks 1 to {header.n_q}")
    rate = item.sample_rate
    first = round(start_s * rate)
    last = item.samples if seconds is None else min(item.samples, first + round(seconds * rate))
    if not 0 <= first <= item.samples or last < first:
        raise ConfigError(f"{item.id}: {start_s:g} s asked for; it lasts {item.seconds:.2f} s")
    # Frames whose first sample falls on a sample at the recording's rate: resampling may begin at one of these only.
    grid = header.sample_rate // math.gcd(header.sample_rate, header.hop_length * rate)
    begin = max(0, int(start_s * header.frame_rate) - WARM_FRAMES) // grid * grid
    end = min(item.frames, math.ceil(last / rate * header.frame_rate) + codec.decoder.delay // header.hop_length + 2)
    codes = item.read(begin, max(0, end - begin))[:n_q].astype(np.int64)
    with denormals_flushed():
        device = next(codec.parameters()).device
        wav = codec.decode(torch.from_numpy(codes)[None].to(device))[0].cpu().numpy()
    wav = resample(wav, header.sample_rate, rate)
    before = resampled_length(begin * header.hop_length, header.sample_rate, rate)
    return wav[:, first - before : last - before], rate


def codec_of(store: TokenStore, codec: Codec | str | None) -> Codec:
    """The codec that made a store.

    Args:
        store: says which it is.
        codec: the codec, its name or folder; None: the shipped model of that name.
    Raises:
        ModelMismatchError: it is another one.
        ConfigError: there is none.
    """
    codec = load_torch(codec or store.header.codec_name)
    store.header.check_codec(codec, store.path)
    return codec
