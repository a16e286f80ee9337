"""Unsigned integers of any width from 1 to 24 bits, packed without gaps, most significant bit first."""

import numpy as np
from numpy.typing import NDArray

from ..errors import BitstreamError

MAX_WIDTH = 24


def to_bits(values: NDArray[np.integer], width: int) -> NDArray[np.uint8]:
    """Spell integers out in bits.

    Args:
        values: any shape, each in [0, 2**width); read in C order.
        width: bits per value, 1..24.
    Returns:
        [values.size * width] uint8 of zeros and ones, most significant bit of each value first.
    Raises:
        BitstreamError: the width is not allowed, or a value is negative or too large for it.
    """
    _check_width(width)
    flat = np.ravel(values)
    if flat.size and (int(flat.min()) < 0 or int(flat.max()) >> width):
        bad = flat[(flat < 0) | (flat >= 1 << width)][0]
        raise BitstreamError(f"{bad} does not fit in {width} bits; allowed are 0 to {(1 << width) - 1}")
    shifts = np.arange(width - 1, -1, -1, dtype=np.uint32)
    return ((flat.astype(np.uint32)[:, None] >> shifts) & 1).astype(np.uint8).reshape(-1)


def from_bits(bits: NDArray[np.uint8], width: int) -> NDArray[np.uint32]:
    """Read integers back from bits: the inverse of `to_bits`.

    Args:
        bits: [n * width] of zeros and ones.
        width: bits per value, 1..24.
    Returns:
        [n] uint32.
    Raises:
        BitstreamError: the width is not allowed, or the bits are not a whole number of values.
    """
    _check_width(width)
    if len(bits) % width:
        raise BitstreamError(f"{len(bits)} bits are not a whole number of {width}-bit values")
    values: NDArray[np.uint32] = np.zeros(len(bits) // width, dtype=np.uint32)
    for column in bits.reshape(-1, width).T:
        values = (values << np.uint32(1)) | column
    return values


def pack(values: NDArray[np.integer], width: int) -> bytes:
    """Pack integers into ceil(n * width / 8) bytes; the unused low bits of the last byte are zero.

    Args and Raises: as `to_bits`.
    """
    return np.packbits(to_bits(values, width)).tobytes()


def unpack(data: bytes, width: int, count: int) -> NDArray[np.uint32]:
    """Read `count` integers from bytes made by `pack`.

    Args:
        data: exactly ceil(count * width / 8) bytes.
        width: bits per value, 1..24.
        count: number of values, at least 0.
    Returns:
        [count] uint32.
    Raises:
        BitstreamError: the number of bytes is wrong or the unused bits are not zero.
    """
    _check_width(width)
    return from_bits(spread(data, count * width), width)


def spread(data: bytes, n_bits: int) -> NDArray[np.uint8]:
    """Turn bytes into exactly `n_bits` bits; refuse a wrong number of bytes and set bits in the padding.

    The length is compared before anything is allocated, so `n_bits` may come from an untrusted file.
    """
    if len(data) != (n_bits + 7) // 8:
        raise BitstreamError(f"{n_bits} bits need {(n_bits + 7) // 8} bytes, found {len(data)}")
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
    if bits[n_bits:].any():
        raise BitstreamError("the padding bits after the last code are not zero")
    return bits[:n_bits]


def _check_width(width: int) -> None:
    if not 1 <= width <= MAX_WIDTH:
        raise BitstreamError(f"width must be 1 to {MAX_WIDTH} bits, got {width}")
