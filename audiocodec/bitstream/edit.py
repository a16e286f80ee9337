"""Changing .anc files without the model: cut in time, drop codebooks, join. No audio is decoded, no code is altered."""

from collections.abc import Iterable
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from ..errors import ConfigError
from .container import Reader, StreamInfo, Writer
from .fields import varint
from .packets import MODE_ADAPTIVE, MODE_FIXED, MODE_LOST, Packet
from .payload import encode_packet, layer_sizes
from .tables import Tables


def cut(
    source: BinaryIO, target: BinaryIO, start_frame: int, end_frame: int | None = None, *, tables: Tables | None = None
) -> StreamInfo:
    """Copy a stretch of a recording into a file of its own.

    A decoder that remembers the past starts the copy without one, so its first fraction of a second may sound a little
    different from the same place in the whole recording.

    Args:
        source: the .anc file; where it can be sought, only what is needed is read.
        target: opened for writing in binary.
        start_frame: first frame of the stretch.
        end_frame: first frame after it; default: the end.
        tables: entropy tables, needed only where the stretch begins or ends inside a packet that was coded with them.
    Returns:
        The header of the copy, with its length.
    Raises:
        ConfigError: the stretch is empty backwards or beyond the end.
        BitstreamError: the source is damaged.
    """
    return cut_reader(Reader(source, tables=tables), target, start_frame, end_frame)


def cut_reader(reader: Reader, target: BinaryIO, start_frame: int, end_frame: int | None = None) -> StreamInfo:
    """As `cut`, from a strict reader that has read nothing but the header yet."""
    if start_frame < 0 or (end_frame is not None and end_frame < start_frame):
        raise ConfigError(f"cannot cut frames {start_frame} to {end_frame}: give 0 <= start <= end")
    writer = _writer_like(reader, target)
    if reader.seekable or start_frame:
        reader.seek(start_frame)
    position = start_frame
    for packet in reader.packets():
        if end_frame is not None and packet.frame >= end_frame:
            break
        stop = packet.end if end_frame is None else min(end_frame, packet.end)
        _copy(packet, position - packet.frame, stop - packet.frame, reader, writer)
        position = stop
        if position == end_frame:
            break
    if end_frame is not None and position < end_frame:
        seconds = float(position / reader.info.frame_rate)
        raise ConfigError(f"cannot cut up to frame {end_frame}: the file has {position} frames ({seconds:g} s)")
    first = _samples(start_frame, reader.info)
    last = _samples(position, reader.info)
    if reader.info.original_samples is not None:
        last = min(last, reader.info.original_samples)
    elif end_frame is None:
        return _close(writer, None)
    return _close(writer, max(0, last - first))


def truncate(source: BinaryIO, target: BinaryIO, n_q: int, *, tables: Tables | None = None) -> StreamInfo:
    """Copy a recording with its first codebooks only: a lower rate at once, without decoding.

    Args:
        source: the .anc file; a pipe will do.
        target: opened for writing in binary.
        n_q: codebooks to keep, 1 up to those of the file.
        tables: entropy tables, needed only for short packets whose codebooks share one run (live streams).
    Returns:
        The header of the copy, with its length.
    Raises:
        ConfigError: there are not so many codebooks.
        BitstreamError: the source is damaged.
    """
    return truncate_reader(Reader(source, tables=tables), target, n_q)


def truncate_reader(reader: Reader, target: BinaryIO, n_q: int) -> StreamInfo:
    """As `truncate`, from a strict reader that has read nothing but the header yet."""
    writer = _writer_like(reader, target, reader.info.first_codebooks(n_q))
    for packet in reader.packets():
        if packet.mode == MODE_LOST or packet.n_q <= n_q:
            writer.write_packet(replace(packet, n_q=min(packet.n_q, n_q)))
        elif packet.joined:
            codes = reader.decode(packet)[:, :n_q]
            writer.write_packet(encode_packet(codes, packet.frame, writer.info, reader.tables))
        else:
            writer.write_packet(replace(packet, n_q=n_q, payload=_first_layers(packet, n_q, reader.info)))
    return _close(writer, reader.info.original_samples)


def concatenate(sources: Iterable[BinaryIO], target: BinaryIO) -> StreamInfo:
    """Join recordings made by the same model with the same settings.

    Every recording but the last is filled up to a whole frame (with what the model made of the padding).

    Args:
        sources: .anc files, at least one; pipes will do. They are read one after the other.
        target: opened for writing in binary.
    Returns:
        The header of the result, with the tags of the first file and the length of all.
    Raises:
        ConfigError: no source, or one that does not fit the first.
        BitstreamError: a source is damaged.
    """
    writer: Writer | None = None
    samples: int | None = 0
    for number, source in enumerate(sources, start=1):
        reader = Reader(source)
        writer = writer or _writer_like(reader, target)
        _check_alike(writer.info, reader.info, number)
        offset = writer.n_frames
        for packet in reader.packets():
            writer.write_packet(replace(packet, frame=packet.frame + offset))
        length = reader.info.original_samples
        samples = None if length is None else _samples(offset, reader.info) + length
    if writer is None:
        raise ConfigError("nothing to join: give at least one file")
    return _close(writer, samples)


def _writer_like(reader: Reader, target: BinaryIO, info: StreamInfo | None = None) -> Writer:
    whole = len(reader.info.weights_sha256) == 32
    return Writer(target, replace(info or reader.info, original_samples=None), full_hashes=whole)


def _close(writer: Writer, samples: int | None) -> StreamInfo:
    writer.close(samples)
    return replace(writer.info, original_samples=samples)


def _copy(packet: Packet, start: int, stop: int, reader: Reader, writer: Writer) -> None:
    """Copy frames `start` to `stop` of a packet: as it is where all are wanted, decoded and coded anew otherwise."""
    frame = writer.n_frames
    if packet.mode == MODE_LOST or (start == 0 and stop == packet.n_frames):
        writer.write_packet(replace(packet, frame=frame, n_frames=stop - start, redundant=False))
    elif start < stop:
        codes = reader.decode(packet)[:, :, start:stop]
        writer.write_packet(encode_packet(codes, frame, writer.info, reader.tables))


def _first_layers(packet: Packet, n_q: int, info: StreamInfo) -> bytes:
    """The payload of a packet without its later codebooks."""
    if packet.mode == MODE_FIXED:
        n_bits = info.n_streams * packet.n_frames * sum(info.widths[:n_q])
        bits = np.unpackbits(np.frombuffer(packet.payload, dtype=np.uint8), count=n_bits)
        return np.packbits(bits).tobytes()
    start, sizes, savings = layer_sizes(packet, info)
    parameter = packet.payload[: packet.mode == MODE_ADAPTIVE]
    kept = packet.payload[start : start + sum(sizes[:n_q])]
    return parameter + b"".join(varint(saved) for saved in savings[:n_q]) + kept


def _samples(frame: int, info: StreamInfo) -> int:
    """Samples at the original rate that lie before a frame."""
    return frame * info.hop_length * info.original_rate // info.sample_rate


def _check_alike(first: StreamInfo, other: StreamInfo, number: int) -> None:
    for name in ("model_name", "sample_rate", "hop_length", "channels", "codec_channels", "codebook_sizes", "sf_bits",
                 "original_rate", "tables_id"):  # fmt: skip
        if getattr(first, name) != getattr(other, name):
            raise ConfigError(
                f"file {number} cannot be joined to the first: its {name} is {getattr(other, name)!r}, "
                f"that of the first is {getattr(first, name)!r}"
            )
    if not first.is_model(other.weights_sha256, other.config_sha256):
        raise ConfigError(f"file {number} cannot be joined to the first: the weights of its model are others")
