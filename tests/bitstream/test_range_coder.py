"""The range coder: round trips at the edges of its arithmetic, length against entropy, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocodec.bitstream.range_coder import MAX_TOTAL, RangeDecoder, RangeEncoder
from audiocodec.errors import BitstreamError


@st.composite
def symbols(draw: st.DrawFn) -> tuple[int, int, int]:
    """start, size, total; often at the edges: nothing but the last unit, or all of the range."""
    total = draw(st.sampled_from([1, 2, 3, 255, 256, 257, 65_535, MAX_TOTAL]) | st.integers(1, MAX_TOTAL))
    start = draw(st.sampled_from([0, total - 1]) | st.integers(0, total - 1))
    size = draw(st.sampled_from([1, total - start]) | st.integers(1, total - start))
    return start, size, total


@given(st.lists(symbols(), max_size=60))
def test_symbols_come_back_and_nothing_is_left_over(sequence):
    encoder = RangeEncoder()
    for symbol in sequence:
        encoder.encode(*symbol)
    decoder = RangeDecoder(encoder.finish())
    for start, size, total in sequence:
        assert start <= decoder.locate(total) < start + size
        decoder.accept(start, size)
    decoder.check_end()


@given(st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=20))
def test_a_run_of_carries_reaches_back_over_all_bytes(values):
    # Symbols at the very top of the range make bytes of 255, the shortest ending then makes them overflow.
    encoder = RangeEncoder()
    for value in values:
        encoder.encode(MAX_TOTAL - 1, 1, MAX_TOTAL)
        encoder.encode_bits(value, 16)
    decoder = RangeDecoder(encoder.finish())
    for value in values:
        assert decoder.locate(MAX_TOTAL) == MAX_TOTAL - 1
        decoder.accept(MAX_TOTAL - 1, 1)
        assert decoder.decode_bits(16) == value


def test_a_carry_that_leaves_exactly_nothing():
    encoder = RangeEncoder()
    encoder._low, encoder._range, encoder._out = 2**32 - 2**20, 2**28, bytearray(b"\x12\xff\xff")
    encoder.encode(1, 1, 256)  # the lower end of the interval becomes 2**32
    assert encoder.finish() == b"\x13"


def test_length_is_the_entropy_to_a_byte():
    rng = np.random.default_rng(0)
    frequency = np.maximum(1, np.round(MAX_TOTAL * 0.02 * 0.98 ** np.arange(256))).astype(int)
    frequency[0] += MAX_TOTAL - frequency.sum()
    starts = [0, *np.cumsum(frequency).tolist()]
    excess = []
    for n in (1, 10, 100, 1000):
        for _ in range(40):
            drawn = rng.choice(256, n, p=frequency / MAX_TOTAL).tolist()
            encoder = RangeEncoder()
            for symbol in drawn:
                encoder.encode(starts[symbol], int(frequency[symbol]), MAX_TOTAL)
            data = encoder.finish()
            excess.append(len(data) - -np.log2(frequency[drawn] / MAX_TOTAL).sum() / 8)
            decoder = RangeDecoder(data)
            assert [decoder.decode(starts) for _ in drawn] == drawn
    assert max(excess) < 1.5
    assert np.mean(excess) < 0.8  # bytes; rounding up alone would take 0.5


def test_nothing_takes_no_bytes():
    assert RangeEncoder().finish() == b""
    encoder = RangeEncoder()
    encoder.encode(0, 1000, 1000)
    assert encoder.finish() == b""


def test_bytes_that_no_encoder_makes_are_refused():
    decoder = RangeDecoder(b"\xff\xff\xff\xff")
    with pytest.raises(BitstreamError, match="damaged"):
        decoder.locate(3)


def test_bytes_left_over_are_refused_unless_zero():
    encoder = RangeEncoder()
    encoder.encode_bits(77, 8)
    data = encoder.finish()
    for tail, good in ((b"\0" * 9, True), (b"\0" * 8 + b"\1", False)):
        decoder = RangeDecoder(data + tail)
        assert decoder.decode_bits(8) == 77
        if good:
            decoder.check_end()
        else:
            with pytest.raises(BitstreamError, match="left over"):
                decoder.check_end()


@given(st.binary(max_size=40))
def test_any_bytes_decode_to_something_or_are_refused(data):
    decoder = RangeDecoder(data)
    try:
        for _ in range(50):
            assert 0 <= decoder.decode([0, 5, 60_000, 65_000]) <= 2
    except BitstreamError:
        pass
