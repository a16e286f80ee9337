"""Samples to packets, block by block, in memory that does not grow with the recording."""

from collections.abc import Iterator, Mapping
from typing import BinaryIO

import numpy as np

from ..audio.reader import ArrayReader, AudioReader
from ..audio.resample import ResampleStream, resample_blocks
from ..bitstream.container import StreamInfo, Writer
from ..streaming import StreamingEncoder
from .decoding import Progress
from .models import AnyCodec, tables_of


def stream_info(
    codec: AnyCodec, n_q: int, original_rate: int, channels: int, tags: Mapping[str, str] | None
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
    audio: AudioReader | ArrayReader,
    codec: AnyCodec,
    info: StreamInfo,
    file: BinaryIO,
    progress: Progress | None = None,
    packet_seconds: float | None = None,
) -> tuple[int, int]:
    """Code a recording into a .anc file.

    Args:
        audio: its channels become items of a batch, each of as many channels as the codec takes; where the last item
            lacks some, the last channel stands in for them.
        codec: codes them.
        info: the header, from `stream_info`.
        file: opened for writing; never sought.
        progress: told after every block.
        packet_seconds: length of a packet, each of which leaves at once, for live streams; default: 5 s, not at once.
    Returns:
        Samples per channel read, and bytes written.
    Raises:
        ConfigError: packets too long for the format.
    """
    encoder = StreamingEncoder(codec, batch_size=info.n_streams, n_q=info.n_q)
    rows = np.minimum(np.arange(info.n_streams * codec.channels), audio.channels - 1)
    resampler = ResampleStream(audio.sample_rate, codec.sample_rate, audio.channels)
    packet_frames = None if packet_seconds is None else max(1, round(packet_seconds * info.frame_rate))
    at_once = (
        None if packet_frames is None else -(-packet_frames * info.hop_length * audio.sample_rate // info.sample_rate)
    )
    writer = Writer(file, info, packet_frames=packet_frames, tables=tables_of(codec))
    n_samples = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal n_samples
        for block in audio.blocks(at_once):
            yield block
            n_samples += block.shape[1]
            if progress is not None:
                in_all = audio.n_samples / audio.sample_rate if audio.n_samples is not None else None
                progress(n_samples / audio.sample_rate, in_all)

    with codec.denormals_flushed():
        for block in resample_blocks(counted(), resampler):
            items = block[rows].reshape(info.n_streams, codec.channels, -1)
            writer.write(codec.to_numpy(encoder.push(items)))
            if packet_frames is not None:
                writer.flush()
                file.flush()
        writer.write(codec.to_numpy(encoder.flush()))
    writer.close(n_samples)
    return n_samples, writer.n_bytes
