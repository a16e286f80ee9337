"""How fast a codec runs here: whole recordings, live streams, many at once, and how much memory that takes."""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .arrays import Array
from .codec import Codec
from .pool import DecoderPool, EncoderPool
from .states import AnyCodec
from .streaming import StreamingDecoder, StreamingEncoder

FRAME_S = 0.02  # of a push in the streaming figures
WARM_UP = 25  # pushes before times are taken


@dataclass(frozen=True)
class Streaming:
    """What a live stream costs; times are of one push of FRAME_S through encoder and decoder."""

    encode_p50_ms: float
    decode_p50_ms: float
    p50_ms: float
    p99_ms: float
    times_real_time: float  # of the whole stream
    first_sample_ms: float  # computing from the first push to the first sample heard, session set-up included


def signal(codec: AnyCodec, seconds: float, seed: int = 0) -> Tensor:
    """A test signal [1, C, L] in the manner of speech: noise in syllables, with pauses. Speed hardly depends on it."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.arange(int(seconds * codec.sample_rate)) / codec.sample_rate
    syllables = torch.sin(2 * torch.pi * 2.5 * t).clamp_min(0) * (torch.sin(2 * torch.pi * 0.3 * t) > -0.8)
    return 0.2 * syllables * torch.randn(1, codec.channels, len(t), generator=generator)


def interleaved(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median wall time in s of each call; every round makes each call once, after one that is not timed."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for round_ in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if round_:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def offline(codec: AnyCodec, wav: Array, rounds: int = 5) -> tuple[float, float]:
    """Times real time of encoding and of decoding `wav` [B, C, L] as a whole."""
    wav = codec.as_wav(wav)
    codes: Array = codec.encode(wav)
    seconds = len(wav) * wav.shape[-1] / codec.sample_rate
    took = interleaved({"encode": lambda: codec.encode(wav), "decode": lambda: codec.decode(codes)}, rounds)
    return seconds / took["encode"], seconds / took["decode"]


def pieces(codec: AnyCodec, wav: Array) -> Iterator[Array]:
    """`wav` [..., L] in pushes of FRAME_S."""
    size = round(FRAME_S * codec.sample_rate)
    return (wav[..., start : start + size] for start in range(0, wav.shape[-1] - size + 1, size))


def streaming(codec: AnyCodec, wav: Array) -> Streaming:
    """Send `wav` [1, C, L] through one encoder and one decoder as it would come from a microphone.

    Args:
        codec: with or without PyTorch.
        wav: the audio.
    """
    encoded, decoded, both = [], [], []
    if isinstance(codec, Codec):
        codec.frozen()  # once for all streams of a process
    begin, first = time.perf_counter(), 0.0
    encoder, decoder = StreamingEncoder(codec), StreamingDecoder(codec)
    for piece in map(codec.as_wav, pieces(codec, wav)):
        start = time.perf_counter()
        codes = encoder.push(piece)
        middle = time.perf_counter()
        heard = decoder.push(codes)
        end = time.perf_counter()
        if not first and heard.shape[-1]:
            first = end - begin
        encoded.append(middle - start)
        decoded.append(end - middle)
        both.append(end - start)
    both_ms = [1000 * t for t in both[WARM_UP:]]
    return Streaming(
        1000 * statistics.median(encoded[WARM_UP:]),
        1000 * statistics.median(decoded[WARM_UP:]),
        statistics.median(both_ms),
        percentile(both_ms, 0.99),
        1000 * FRAME_S * len(both_ms) / sum(both_ms),
        1000 * first,
    )


def many(codec: AnyCodec, voices: int, seconds: float) -> tuple[float, float, float]:
    """Encode and decode `voices` live streams in one pool each.

    Returns:
        Median and 99th percentile of the time in ms that FRAME_S of all of them take, and times real time.
    """
    encoders, decoders = EncoderPool(codec, voices), DecoderPool(codec, voices)
    streams = [(encoders.add(), decoders.add()) for _ in range(voices)]
    wavs = codec.as_wav(torch.cat([signal(codec, seconds, seed=voice) for voice in range(voices)]))
    took = []
    for piece in pieces(codec, wavs):
        start = time.perf_counter()
        codes = encoders.push({encoder: piece[i] for i, (encoder, _) in enumerate(streams)})
        decoders.push({decoder: codes[encoder] for encoder, decoder in streams})
        took.append(1000 * (time.perf_counter() - start))
    took = took[WARM_UP:]
    return statistics.median(took), percentile(took, 0.99), 1000 * FRAME_S * len(took) / sum(took)


def percentile(values: list[float], q: float) -> float:
    """The value that a share `q` of the values lie below."""
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


def peak_mb() -> float:
    """Most memory this process has had so far, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: unlike getrusage it does not count what a parent had when it made this process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
