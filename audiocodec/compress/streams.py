"""Samples to packets and packets to samples, block by block, in memory that does not grow with the recording."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ..audio.reader import ArrayReader, AudioReader
from ..audio.resample import ResampleStream, resample_blocks, resampled_length
from ..bitstream.container import Reader, StreamInfo, Writer
from ..codec import BLOCK_FRAMES, Codec
from ..errors import BitstreamError
from ..streaming import StreamingDecoder, StreamingEncoder
from .models import tables_of

Progress: TypeAlias = Callable[[float, float | None], None]
"""progress(seconds of audio done, seconds in all or None while that is not known)."""


def stream_info(
    codec: Codec, n_q: int, original_rate: int, channels: int, tags: Mapping[str, str] | None
) -> StreamInfo:
    """Return the header of a file that `codec` makes.

    Args:
        codec: makes it.
        n_q: codebooks used.
        original_rate: of the recording, Hz.
        channels: of the recording.
        tags: free text.
    Raises:
        ConfigError: a limit of the format is exceeded.
    """
    sf_bits = codec.config.quantizer.sf_bits
    size = codec.config.quantizer.codebook_size if sf_bits else codec.codebook_size
    return StreamInfo(
        model_name=codec.name,
        weights_sha256=bytes.fromhex(codec.weights_sha256),
        config_sha256=bytes.fromhex(codec.config_sha256),
        sample_rate=codec.sample_rate,
        hop_length=codec.hop_length,
        channels=channels,
        codebook_sizes=(size,) * n_q,
        sf_bits=sf_bits,
        original_rate=original_rate,
        codec_channels=codec.channels,
        tags=dict(tags or {}),
    )


def encode(
    audio: AudioReader | ArrayReader, codec: Codec, info: StreamInfo, file: BinaryIO, progress: Progress | None = None
) -> tuple[int, int]:
    """Code a recording into a .anc file.

    Args:
        audio: its channels become items of a batch, each of as many channels as the codec takes; where the last item
            lacks some, the last channel stands in for them.
        codec: codes them.
        info: the header, from `stream_info`.
        file: opened for writing; never sought.
        progress: told after every block.
    Returns:
        Samples per channel read, and bytes written.
    """
    encoder = StreamingEncoder(codec, batch_size=info.n_streams, n_q=info.n_q)
    rows = np.minimum(np.arange(info.n_streams * codec.channels), audio.channels - 1)
    resampler = ResampleStream(audio.sample_rate, codec.sample_rate, audio.channels)
    writer = Writer(file, info, tables=tables_of(codec))
    n_samples = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal n_samples
        for block in audio.blocks():
            yield block
            n_samples += block.shape[1]
            if progress is not None:
                in_all = audio.n_samples / audio.sample_rate if audio.n_samples is not None else None
                progress(n_samples / audio.sample_rate, in_all)

    with denormals_flushed():
        for block in resample_blocks(counted(), resampler):
            items = torch.from_numpy(block[rows].reshape(info.n_streams, codec.channels, -1))
            writer.write(_to_numpy(encoder.push(items)))
        writer.write(_to_numpy(encoder.flush()))
    writer.close(n_samples)
    return n_samples, writer.n_bytes


def decode(reader: Reader, codec: Codec, progress: Progress | None = None) -> Iterator[np.ndarray]:
    """Decode a .anc file.

    Args:
        reader: at its first packet.
        codec: the one that made the file.
        progress: told after every block.
    Yields:
        [C, n] float32 at the original rate, at least one block; in all as many samples as the recording had, or, where
        the file does not say (a live stream), as its frames hold.
    Raises:
        BitstreamError: damage.
    """
    info = reader.info
    reader.tables = tables_of(codec)
    # Of the last frame a part is padding; how much is known for certain only at the end, so that much is held back.
    held_back = resampled_length(info.hop_length, info.sample_rate, info.original_rate) + 1
    held, n_given = np.zeros((info.channels, 0), np.float32), 0
    for block in resample_blocks(
        _decoded(reader, codec), ResampleStream(info.sample_rate, info.original_rate, info.channels)
    ):
        held = np.concatenate([held, block], axis=1)
        if (ready := held.shape[1] - held_back) > 0:
            yield held[:, :ready]
            held, n_given = held[:, ready:], n_given + ready
            if progress is not None:
                in_all = info.original_samples / info.original_rate if info.original_samples is not None else None
                progress(n_given / info.original_rate, in_all)
    in_all = reader.info.original_samples
    n_rest = held.shape[1] if in_all is None else in_all - n_given
    if n_rest < 0:
        raise BitstreamError(f"the file says that it holds {in_all} samples, but its frames hold more than {n_given}")
    # The footer may claim a part of a frame more than there is: that part is silence.
    yield np.pad(held[:, :n_rest], ((0, 0), (0, max(0, n_rest - held.shape[1]))))


def _decoded(reader: Reader, codec: Codec) -> Iterator[np.ndarray]:
    """Audio of all packets, [C, n] at the codec's rate; a packet in parts, for it may hold many minutes."""
    info = reader.info
    decoder = StreamingDecoder(codec, batch_size=info.n_streams)
    device = next(codec.parameters()).device
    frames = max(1, BLOCK_FRAMES // info.channels)

    def channels_of(items: Tensor) -> np.ndarray:
        return _to_numpy(items.flatten(0, 1)[: info.channels])

    for codes in reader:
        for start in range(0, codes.shape[2], frames):
            part = torch.from_numpy(codes[:, :, start : start + frames].astype(np.int64)).to(device)
            yield channels_of(decoder.push(part))
    yield channels_of(decoder.flush())


@contextlib.contextmanager
def denormals_flushed() -> Iterator[None]:
    """Let this thread take numbers below 1e-38 for zero: with them near-silence is computed up to 98 times slower."""
    were_kept = bool(torch.full((8,), 1e-40).mul(1.0).any())
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(not were_kept)


def _to_numpy(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.cpu().numpy()
    return array
