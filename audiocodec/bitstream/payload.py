"""Codes to payload bytes and back: which coding mode a packet uses, and what its payload looks like."""

import numpy as np
from numpy.typing import NDArray

from ..errors import BitstreamError
from .bits import from_bits, spread, to_bits
from .header import StreamInfo
from .packets import MODE_FIXED, Packet


def encode_packet(codes: NDArray[np.integer], frame: int, info: StreamInfo) -> Packet:
    """Code some frames into a packet.

    Args:
        codes: [C, K, T] within their codebooks; K may be smaller than `info.n_q`.
        frame: index of the first of them in the recording.
        info: the header of the file.
    """
    return Packet(frame, codes.shape[2], codes.shape[1], encode_fixed(codes, info))


def decode_packet(packet: Packet, info: StreamInfo) -> NDArray[np.integer]:
    """Get the codes of a packet back.

    Returns:
        [C, K, T] uint16, or uint32 where a codebook has more than 65536 different codes.
    Raises:
        BitstreamError: the payload cannot have been made by a writer of this format.
    """
    if packet.mode != MODE_FIXED:
        raise BitstreamError(f"coding mode {packet.mode} is not known to this version of audiocodec; update audiocodec")
    return decode_fixed(packet, info)


def encode_fixed(codes: NDArray[np.integer], info: StreamInfo) -> bytes:
    """All codes of the first codebook, then of the second, ...: each in its fixed width, no gaps, padded at the end."""
    layers = [to_bits(codes[:, k], width) for k, width in zip(range(codes.shape[1]), info.widths, strict=False)]
    return np.packbits(np.concatenate(layers)).tobytes()


def decode_fixed(packet: Packet, info: StreamInfo) -> NDArray[np.integer]:
    """The inverse of `encode_fixed`."""
    channels, widths = info.channels, info.widths[: packet.n_q]
    count = channels * packet.n_frames
    bits = spread(packet.payload, count * sum(widths))
    codes = np.empty((channels, packet.n_q, packet.n_frames), dtype=code_dtype(info))
    start = 0
    for k, width in enumerate(widths):
        layer = from_bits(bits[start : start + count * width], width)
        start += count * width
        check_codes(layer, k, info)
        codes[:, k] = layer.reshape(channels, packet.n_frames)
    return codes


def check_codes(layer: NDArray[np.integer], k: int, info: StreamInfo) -> None:
    """Refuse codes that codebook `k` does not have."""
    size = info.alphabet_sizes[k]
    if layer.size and (int(layer.max()) >= size or int(layer.min()) < 0):
        bad = layer[(layer >= size) | (layer < 0)].flat[0]
        raise BitstreamError(f"code {bad} of codebook {k} is outside 0 to {size - 1}")


def code_dtype(info: StreamInfo) -> type[np.uint16] | type[np.uint32]:
    """The smallest unsigned type, from 16 bits up, that holds every code of the file."""
    return np.uint16 if max(info.alphabet_sizes) <= 1 << 16 else np.uint32
