"""Packing of integers: an outside judge (Python's own big integers), round trips, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocodec.bitstream.bits import MAX_WIDTH, from_bits, pack, spread, to_bits, unpack
from audiocodec.errors import BitstreamError


@st.composite
def numbers(draw: st.DrawFn) -> tuple[list[int], int]:
    width = draw(st.integers(1, MAX_WIDTH))
    return draw(st.lists(st.integers(0, 2**width - 1), max_size=40)), width


@given(numbers())
def test_packed_bytes_are_the_big_integer_of_all_values(case):
    values, width = case
    whole = 0
    for value in values:
        whole = whole << width | value
    n_bytes = -(-len(values) * width // 8)
    expected = (whole << (8 * n_bytes - len(values) * width)).to_bytes(n_bytes, "big")
    assert pack(np.array(values, dtype=np.int64), width) == expected


@given(numbers())
def test_unpack_undoes_pack(case):
    values, width = case
    assert unpack(pack(np.array(values, dtype=np.int64), width), width, len(values)).tolist() == values


@pytest.mark.parametrize("value", [-1, 1 << 10, 1 << 40])
def test_a_value_that_does_not_fit_is_refused_by_name(value):
    with pytest.raises(BitstreamError, match=f"{value} does not fit in 10 bits"):
        pack(np.array([3, value]), 10)


@pytest.mark.parametrize("width", [0, -3, MAX_WIDTH + 1])
def test_a_width_beyond_the_limits_is_refused(width):
    for call in (lambda: to_bits(np.array([0]), width), lambda: unpack(b"", width, 0)):
        with pytest.raises(BitstreamError, match="width must be 1 to 24"):
            call()


def test_the_number_of_bytes_is_compared_before_anything_is_allocated():
    with pytest.raises(BitstreamError, match="need 125000000000 bytes, found 1"):
        unpack(b"\0", 1, 10**12)


def test_padding_that_is_not_zero_is_refused():
    assert spread(b"\xa0", 3).tolist() == [1, 0, 1]
    with pytest.raises(BitstreamError, match="padding"):
        spread(b"\xa1", 3)


def test_bits_that_are_no_whole_number_of_values_are_refused():
    with pytest.raises(BitstreamError, match="whole number"):
        from_bits(np.zeros(7, dtype=np.uint8), 3)
