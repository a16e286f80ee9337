"""Variable-length integers and blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocodec.bitstream.fields import MAX_VARINT, Fields, refuse_critical, varint, write_blocks
from audiocodec.errors import BitstreamError


@given(st.integers(0, MAX_VARINT))
def test_varint_round_trip_in_the_fewest_bytes(value):
    data = varint(value)
    assert len(data) == max(1, -(-value.bit_length() // 7))
    assert Fields(data, "test").varint("value") == value


def test_known_spellings():
    assert [varint(value).hex() for value in (0, 127, 128, 16_000)] == ["00", "7f", "8001", "807d"]


@pytest.mark.parametrize("value", [-1, MAX_VARINT + 1])
def test_numbers_that_cannot_be_stored_are_refused(value):
    with pytest.raises(BitstreamError, match="cannot be stored"):
        varint(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cut off"),
        (b"\x80", "cut off"),
        (b"\x80\x00", "shortest"),
        (b"\xff" * 10, "longer than 63"),
        (b"\x09", "is 9"),
    ],
)
def test_bad_spellings_are_refused(data, message):
    with pytest.raises(BitstreamError, match=message):
        Fields(data, "test").varint("value", high=8)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=200))))
def test_blocks_round_trip(blocks):
    assert list(Fields(write_blocks(blocks), "test").blocks()) == blocks


def test_a_field_longer_than_what_is_left_is_refused():
    fields = Fields(b"abc", "test")
    assert fields.take(2) == b"ab"
    with pytest.raises(BitstreamError, match="2 bytes is cut off after 1"):
        fields.take(2)


def test_text_must_be_utf8():
    with pytest.raises(BitstreamError, match="UTF-8"):
        Fields(b"\xff\xfe", "test").text("name", 2)


def test_unknown_blocks_may_be_skipped_unless_they_are_required():
    refuse_critical(127, "test")
    with pytest.raises(BitstreamError, match="type 128 is not known"):
        refuse_critical(128, "test")
