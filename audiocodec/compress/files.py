"""Whole files and recordings in memory, to .anc and back: `compress`, `decompress` and their file twins."""

import contextlib
import io
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np

from ..audio.atomic import atomic_output, check_target
from ..audio.reader import ArrayReader, AudioReader, SourceFile
from ..audio.source import source_name
from ..audio.writer import SampleFormat, TargetFile, container_of, open_writer
from ..bitstream.container import Damage, Reader, StreamInfo
from ..bitstream.files import open_anc
from ..errors import AudioError, ConfigError
from ..inference import Backend
from .decoding import Progress, Span, decode
from .models import DEFAULT_MODEL, Model, able, choose_n_q, load_model, model_of
from .streams import encode, stream_info


@dataclass(frozen=True)
class Report:
    """What became of one file.

    Args:
        input, output: where it came from and went.
        model: name of the codec.
        n_q: codebooks in the .anc file.
        sample_rate: of the recording, Hz.
        channels: of the recording.
        seconds: of the recording.
        n_bytes: size of the .anc file.
        bitrate: n_bytes * 8 / seconds, header included, all channels together, bit/s; NaN for zero samples.
        wall_seconds: time taken, without loading the model.
        times_real_time: seconds / wall_seconds.
        notes: what the user should know about the recording.
    """

    input: str
    output: str
    model: str
    n_q: int
    sample_rate: int
    channels: int
    seconds: float
    n_bytes: int
    bitrate: float
    wall_seconds: float
    times_real_time: float
    notes: tuple[str, ...] = ()


def compress(
    source: SourceFile | bytes | np.ndarray,
    *,
    sample_rate: int | None = None,
    model: Model = DEFAULT_MODEL,
    bitrate: float | None = None,
    n_q: int | None = None,
    tags: Mapping[str, str] | None = None,
    backend: Backend = "auto",
) -> bytes:
    """Compress a recording.

    Args:
        source: path, file object or bytes of a recording, or samples [C, L] or [L] float, full scale 1.0.
        sample_rate: Hz, of samples only; a recording says its own.
        model: name of a shipped model, folder, hub id, or a Codec.
        bitrate: bit/s for all channels together; the most codebooks whose nominal rate does not exceed it are used.
        n_q: how many codebooks to use, instead of `bitrate`; default all.
        tags: free text to store, for example {"title": "..."}.
        backend: what computes the model, if it is not a codec already: "numpy", "onnx" (ONNX Runtime) or "torch", all
            with the same codes; "auto": NumPy, which starts soonest.
    Returns:
        The bytes of a .anc file.
    Raises:
        AudioError: the recording cannot be read, or has samples that are not finite.
        ConfigError: no such model, or a bitrate or n_q that it does not have.
        ShapeError: samples of another shape.
    """
    out = io.BytesIO()
    with _open_audio(source, sample_rate) as audio:
        codec = load_model(model, backend)
        n_q = choose_n_q(codec, audio.channels, bitrate, n_q)
        encode(audio, codec, stream_info(codec, n_q, audio.sample_rate, audio.channels, tags), out)
    return out.getvalue()


def decompress(
    source: bytes | SourceFile,
    *,
    model: Model | None = None,
    start: float = 0.0,
    duration: float | None = None,
    conceal: bool = False,
    backend: Backend = "auto",
) -> tuple[np.ndarray, int]:
    """Decompress a recording, or a stretch of it; of a file that can be sought only what that needs is read.

    Args:
        source: bytes, path or file object of a .anc file.
        model: what made it; default: the shipped model that the file names.
        start: where to begin, seconds.
        duration: for how long, seconds; default: to the end. What lies beyond the end is left out.
        conceal: go on after damage, and fill the gaps.
        backend: as in `compress`; "auto" takes PyTorch to conceal. Samples of two backends agree to 1e-5 of full scale.
    Returns:
        wav [C, L] float32, and its sample rate in Hz: length, rate and channels of the recording that was compressed.
    Raises:
        BitstreamError: truncated, damaged, or no .anc file.
        ModelMismatchError: made by another model, or by one that is not shipped and not given.
        ConfigError: a time that cannot be, or that lies beyond the end.
    """
    with open_anc(source) as anc:
        reader = Reader(cast(BinaryIO, anc), tolerant=conceal)
        codec = model_of(reader.info, model, anc.name, able(backend, conceal))
        span = Span.of_seconds(start, duration, reader.info.original_rate)
        with codec.denormals_flushed():
            blocks = list(decode(reader, codec, span=span, conceal=conceal))
        wav = np.concatenate([np.zeros((reader.info.channels, 0), np.float32), *blocks], axis=1)
        return wav, reader.info.original_rate


def compress_file(
    source: SourceFile,
    target: TargetFile,
    *,
    model: Model = DEFAULT_MODEL,
    bitrate: float | None = None,
    n_q: int | None = None,
    tags: Mapping[str, str] | None = None,
    packet_seconds: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    backend: Backend = "auto",
) -> Report:
    """Compress a recording into a file, in memory that does not grow with its length.

    Args:
        source: path or file object of a recording; a pipe will do.
        target: path or file object; a path gets its name only when the file is whole.
        model, bitrate, n_q, tags, backend: as in `compress`.
        packet_seconds: length of a packet: short ones, of which each leaves at once, are for live streams. Default: 5.
        overwrite: whether an existing file may be replaced.
        progress: called as progress(seconds done, seconds in all or None).
    Raises:
        as `compress`; AudioError: the target exists or cannot be written.
    """
    _check_paths(source, target, overwrite)
    with AudioReader(source) as audio:
        codec = load_model(model, backend)
        n_q = choose_n_q(codec, audio.channels, bitrate, n_q)
        info = stream_info(codec, n_q, audio.sample_rate, audio.channels, tags)
        start = time.perf_counter()
        with contextlib.ExitStack() as stack:
            if isinstance(target, str | os.PathLike):
                file = stack.enter_context(atomic_output(target, overwrite=overwrite))
            else:
                file = target
            n_samples, n_bytes = encode(audio, codec, info, file, progress, packet_seconds)
        return _report(source, target, info, n_samples, n_bytes, start, audio.notes)


def decompress_file(
    source: SourceFile,
    target: TargetFile,
    *,
    model: Model | None = None,
    sample_format: SampleFormat = "pcm16",
    start: float = 0.0,
    duration: float | None = None,
    conceal: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    backend: Backend = "auto",
) -> Report:
    """Decompress a .anc file into a recording, in memory that does not grow with its length.

    Args:
        source: path or file object; a pipe will do.
        target: path ending in .wav, .flac or .ogg, or a file object, which gets WAV.
        model, start, duration, conceal, backend: as in `decompress`.
        sample_format: of WAV and FLAC: pcm16 (clipped and rounded), pcm24, float32.
        overwrite: whether an existing file may be replaced.
        progress: called as progress(seconds done, seconds in all or None).
    Raises:
        as `decompress`; AudioError: the target exists, cannot be written or cannot hold the recording.
    """
    _check_paths(source, target, overwrite)
    if isinstance(target, str | os.PathLike):
        container_of(target)  # refused here, before a model is loaded for nothing
    with open_anc(source) as anc:
        reader = Reader(cast(BinaryIO, anc), tolerant=conceal)
        info, codec = reader.info, model_of(reader.info, model, anc.name, able(backend, conceal))
        span, began = Span.of_seconds(start, duration, info.original_rate), time.perf_counter()
        output = open_writer(
            target,
            info.original_rate,
            info.channels,
            n_samples=span.length(info.original_samples),
            sample_format=sample_format,
            overwrite=overwrite,
        )
        with output as writer, codec.denormals_flushed():
            for block in decode(reader, codec, progress, span, conceal):
                writer.write(block)
        notes = [_describe(damage, info, anc.name) for damage in reader.damage]
        return _report(source, target, info, writer.n_written, anc.n_bytes, began, notes)


def _describe(damage: Damage, info: StreamInfo, name: str) -> str:
    """What was concealed, for the user."""
    first, end = (float(frame / info.frame_rate) for frame in (damage.first_frame, damage.end_frame))
    filled = f"{first:.2f} to {end:.2f} s are filled" if end > first else f"nothing is missing at {first:.2f} s"
    return f"{name}: bytes {damage.first_byte} to {damage.end_byte} are damaged ({damage.reason}); {filled}"


@contextlib.contextmanager
def _open_audio(
    source: SourceFile | bytes | np.ndarray, sample_rate: int | None
) -> Iterator[AudioReader | ArrayReader]:
    if not isinstance(source, str | os.PathLike | bytes) and hasattr(source, "__array__"):
        if sample_rate is None:
            raise ConfigError("samples do not say their rate: give sample_rate in Hz")
        yield ArrayReader(np.asarray(source), sample_rate)
        return
    if sample_rate is not None:
        raise ConfigError("a recording says its own sample rate: leave sample_rate out, or give samples")
    with AudioReader(io.BytesIO(source) if isinstance(source, bytes) else source) as reader:
        yield reader


def _check_paths(source: SourceFile, target: TargetFile, overwrite: bool) -> None:
    """Refuse a target that cannot be, before a model is loaded and an hour is coded for it."""
    if not isinstance(target, str | os.PathLike):
        return
    check_target(target, overwrite=overwrite)
    if isinstance(source, str | os.PathLike) and os.path.isfile(target) and os.path.samefile(source, target):
        raise AudioError(f"{os.fspath(target)}: is the input itself; choose another output")


def _report(
    source: SourceFile,
    target: TargetFile,
    info: StreamInfo,
    n_samples: int,
    n_bytes: int,
    start: float,
    notes: list[str],
) -> Report:
    wall, seconds = time.perf_counter() - start, n_samples / info.original_rate
    return Report(
        input=source_name(source),
        output=source_name(target),
        model=info.model_name,
        n_q=info.n_q,
        sample_rate=info.original_rate,
        channels=info.channels,
        seconds=seconds,
        n_bytes=n_bytes,
        bitrate=n_bytes * 8 / seconds if seconds else math.nan,
        wall_seconds=wall,
        times_real_time=seconds / wall,
        notes=tuple(notes),
    )
