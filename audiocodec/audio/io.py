"""Whole recordings in and out; `reader` and `writer` do the same block by block.

Samples are float32 with full scale 1.0. Integers in files are n / 2**(bits - 1) both ways, so 16-bit samples that are
read and written again are the same bits.
"""

import numpy as np

from ..errors import ShapeError
from .reader import AudioReader, SourceFile
from .writer import SampleFormat, TargetFile, open_writer


def read_audio(source: SourceFile) -> tuple[np.ndarray, int]:
    """Read a whole recording.

    Args:
        source: path or binary file object: WAV, FLAC, Ogg (Vorbis, Opus), MP3, ...
    Returns:
        wav [C, L] float32, L >= 0, and its sample rate in Hz.
    Raises:
        AudioError: see `AudioReader`.
    """
    with AudioReader(source) as reader:
        blocks = [np.zeros((reader.channels, 0), np.float32), *reader.blocks()]
        return np.concatenate(blocks, axis=1), reader.sample_rate


def write_audio(
    target: TargetFile,
    wav: np.ndarray,
    sample_rate: int,
    *,
    sample_format: SampleFormat = "pcm16",
    overwrite: bool = False,
) -> None:
    """Write a whole recording; see `open_writer` for formats and errors.

    Args:
        target: path ending in .wav, .flac or .ogg, or a binary file object, which gets WAV.
        wav: [C, L] or [L] float, full scale 1.0.
        sample_rate: Hz.
        sample_format: of WAV and FLAC.
        overwrite: whether an existing file may be replaced.
    """
    wav = wav[None] if wav.ndim == 1 else wav
    if wav.ndim != 2:
        raise ShapeError(f"wav must be [C, L] or [L], got {list(wav.shape)}")
    channels, n_samples = wav.shape
    with open_writer(
        target, sample_rate, channels, n_samples=n_samples, sample_format=sample_format, overwrite=overwrite
    ) as writer:
        writer.write(wav)
