"""`audiocodec bench`: how fast a model runs on this machine."""

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from . import console

if TYPE_CHECKING:
    from ..states import AnyCodec


class Setting(StrEnum):
    """What computes, and the encoder in which precision."""

    torch = "torch"
    torch_float32 = "torch-float32"
    numpy = "numpy"
    onnx_float32 = "onnx-float32"


def bench(
    model: Annotated[str, typer.Option("--model", help="A shipped model, a folder, or a hub id.")] = "speech-16k",
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 1,
    voices: Annotated[int, typer.Option("--voices", min=1, help="Streams at once in the last line.")] = 50,
    seconds: Annotated[float, typer.Option("--seconds", min=2.0, help="Audio for each figure.")] = 10.0,
    backend: Annotated[
        Setting,
        typer.Option("--backend", help="In float32, or in float64, whose codes are the same anywhere."),
    ] = Setting.torch,
    beam: Annotated[int | None, typer.Option("--beam", help="Paths of the search, 1 is fastest. [the model's]")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure speed and latency: whole recordings, one live stream, many at once. Takes about half a minute.

    Times real time: 100 means that a minute of audio takes 0.6 s. Other work on the machine makes all figures worse.
    """
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
    import torch

    from .. import speed

    torch.set_num_threads(threads)
    codec = _load(model, backend, beam)
    wav = speed.signal(codec, seconds)
    encode, decode = speed.offline(codec, wav)
    live = speed.streaming(codec, wav)
    silent = speed.streaming(codec, torch.cat([wav, torch.zeros_like(wav)], dim=-1))
    p50, p99, times = speed.many(codec, voices, min(seconds, 4.0))
    delay_ms = 1000 * codec.delay / codec.sample_rate
    if json:
        figures = {"offline": {"encode": encode, "decode": decode}, "streaming": live, "into_silence": silent}
        pool = {"voices": voices, "p50_ms": p50, "p99_ms": p99, "times_real_time": times}
        console.print_json({**figures, "pool": pool, "delay_ms": delay_ms, "peak_mb": speed.peak_mb()})
        return
    frame = f"a {1000 * speed.FRAME_S:g} ms frame"
    print(f"{codec.name}, {threads} thread{'s' * (threads > 1)}, {backend}, beam {codec.config.quantizer.beam}")
    print(f"whole recordings   encode {encode:.0f}x real time, decode {decode:.0f}x")
    print(
        f"one live stream    {live.times_real_time:.1f}x; {frame}: median {live.p50_ms:.2f} ms (encode "
        f"{live.encode_p50_ms:.2f}, decode {live.decode_p50_ms:.2f}), p99 {live.p99_ms:.2f} ms"
    )
    print(f"... into silence   {frame}: median {silent.p50_ms:.2f} ms, p99 {silent.p99_ms:.2f} ms")
    print(f"latency            {delay_ms:g} ms algorithmic; {live.first_sample_ms:.1f} ms to compute the first sample")
    print(f"{voices} live streams    {times:.1f}x; {frame} of all: median {p50:.1f} ms, p99 {p99:.1f} ms")
    print(f"memory             {speed.peak_mb():.0f} MB at most")


def _load(model: str, backend: Setting, beam: int | None) -> "AnyCodec":
    import torch

    from ..codec import Codec
    from ..inference import InferenceCodec

    match backend:
        case Setting.torch:
            return Codec.from_pretrained(model, beam=beam)
        case Setting.torch_float32:
            return Codec.from_pretrained(model, beam=beam, precision=torch.float32)
        case Setting.numpy:
            return InferenceCodec.from_pretrained(model, beam=beam)
        case Setting.onnx_float32:
            return InferenceCodec.from_pretrained(model, beam=beam, backend="onnx", precision="float32")
