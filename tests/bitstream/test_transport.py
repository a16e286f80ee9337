"""Datagrams: each alone gives its frames back, damage is noticed, any order and loss gives the right codes or none."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec.bitstream.jitter import JitterBuffer
from audiocodec.bitstream.transport import (
    MAX_PARTS,
    Packetizer,
    Part,
    Redundancy,
    decode_datagram,
    encode_datagram,
    largest_datagram,
    read_session,
)
from audiocodec.errors import BitstreamError, ConfigError, ShapeError
from tests.bitstream.samples import SPEECH, make_codes, make_info, make_markov, markov_tables


def send(info, codes, cuts=(), **options) -> tuple[Packetizer, list[bytes]]:
    """All datagrams of some codes, pushed in pieces."""
    sender = Packetizer(info, max_bytes=65_507, **options)
    pieces = np.split(codes, sorted(cuts), axis=2)
    return sender, [datagram for piece in pieces for datagram in sender.push(piece)] + sender.flush()


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.sampled_from([2, 3, 64, 600, 1024]), min_size=1, max_size=5),
    sf_bits=st.integers(0, 3),
    channels=st.integers(1, 3),
    frames=st.integers(1, 16),
    n_frames=st.integers(0, 60),
    distances=st.lists(st.integers(1, 3), max_size=2, unique=True),
    kind=st.sampled_from(["uniform", "skewed", "still"]),
    cuts=st.lists(st.integers(0, 60), max_size=4),
)
def test_what_is_sent_arrives(sizes, sf_bits, channels, frames, n_frames, distances, kind, cuts):
    info = make_info(codebook_sizes=tuple(sizes), sf_bits=sf_bits, channels=channels)
    codes = make_codes(info, n_frames, kind)
    copies = [Redundancy(1, distance) for distance in distances]
    sender, datagrams = send(info, codes, cuts, frames=frames, redundancy=copies)
    assert len(datagrams) == -(-n_frames // frames)
    assert max(map(len, datagrams), default=0) <= largest_datagram(info, frames, copies)
    session = read_session(sender.header)
    for number, datagram in enumerate(datagrams):
        first, *others = decode_datagram(datagram, session, near=number * frames)
        assert first.frame == number * frames
        assert (first.codes == codes[:, :, first.frame : first.frame + frames]).all()
        assert [first.frame - other.frame for other in others] == [frames * d for d in distances if d <= number]
        for other in others:
            assert (other.codes == codes[:, :1, other.frame : other.frame + frames]).all()
    buffer = JitterBuffer(session)
    for datagram in datagrams:
        buffer.put(datagram)
    taken = [buffer.take() for _ in range(n_frames)]
    assert n_frames == 0 or (np.concatenate(taken, axis=2) == codes).all()


def test_static_tables_make_datagrams_smaller_and_are_needed():
    tables, codes = markov_tables(), make_markov(1, 60, seed=5)[0][None]
    info = make_info(codebook_sizes=(16,) * 3)
    sender, coded = send(info, codes, frames=4, tables=tables)
    _, plain = send(info, codes, frames=4, entropy=False)
    assert sum(map(len, coded)) < 0.9 * sum(map(len, plain))
    session = read_session(sender.header)
    assert session.tables_id == tables.id
    assert (decode_datagram(coded[2], session, tables)[0].codes == codes[:, :, 8:12]).all()
    with pytest.raises(BitstreamError, match="entropy tables"):
        decode_datagram(coded[2], session)


def test_the_framing_of_a_frame_is_six_bytes():
    info = make_info(**SPEECH)
    _, datagrams = send(info, make_codes(info, 20), frames=1)
    assert {len(datagram) for datagram in datagrams} == {15 + 6}


def test_every_flipped_bit_and_every_burst_of_16_is_noticed():
    info = make_info(**SPEECH)
    _, datagrams = send(info, make_codes(info, 6), frames=2, redundancy=[Redundancy(3)])
    data = datagrams[2]
    bits = int.from_bytes(data, "big")
    for burst in (1, 0b11, 0b101, 0b1000000000000001, 0xFFFF):
        for shift in range(8 * len(data) - burst.bit_length() + 1):
            with pytest.raises(BitstreamError):
                decode_datagram((bits ^ burst << shift).to_bytes(len(data), "big"), info)


def test_every_truncation_is_noticed():
    info = make_info(**SPEECH)
    _, [data, *_] = send(info, make_codes(info, 6), frames=3)
    for length in range(len(data)):
        with pytest.raises(BitstreamError):
            decode_datagram(data[:length], info)


def test_datagrams_of_another_stream_are_refused():
    info = make_info()
    _, [data, *_] = send(info, make_codes(info, 4))
    decode_datagram(data, info)
    for other in (replace(info, weights_sha256=bytes(32)), replace(info, tags={"call": "another"})):
        with pytest.raises(BitstreamError, match="another stream"):
            decode_datagram(data, other)


@settings(max_examples=25, deadline=None)
@given(
    frames=st.integers(1, 3),
    copies=st.lists(st.builds(Redundancy, n_q=st.integers(1, 3), distance=st.integers(1, 3)), max_size=2),
    order=st.randoms(use_true_random=False),
    loss=st.floats(0, 0.7),
    late=st.integers(0, 6),
)
def test_any_order_loss_and_doubling_gives_the_right_codes_or_none(frames, copies, order, loss, late):
    info = make_info()
    codes = make_codes(info, 48, seed=1)
    _, datagrams = send(info, codes, frames=frames, redundancy=copies, entropy=False)
    arriving = [
        (number + order.random() * late, data) for number, data in enumerate(datagrams) if order.random() >= loss
    ]
    arriving += [(when + 1, data) for when, data in arriving if order.random() < 0.2]
    arriving = [(0.0, datagrams[0]), *arriving]
    buffer, taken = JitterBuffer(info), []
    for now in range(len(datagrams) + 8):
        for _, data in sorted(pair for pair in arriving if now - 1 <= pair[0] < now):
            buffer.put(data)
        taken += [buffer.take() for _ in range(frames)] if now > 2 else []
    counts = buffer.arrivals
    for t, found in enumerate(taken[:48]):
        assert found is None or (found == codes[:, : found.shape[1], t : t + 1]).all()
    full = [found is not None and found.shape[1] == info.n_q for found in taken]
    assert counts.played + counts.lost == len(taken)
    assert counts.recovered == counts.played - sum(full)
    assert counts.datagrams == len(arriving)


def test_a_copy_fills_a_gap_with_its_coarse_codebooks():
    info = make_info()
    codes = make_codes(info, 8)
    _, datagrams = send(info, codes, redundancy=[Redundancy(2, distance=2)])
    buffer = JitterBuffer(info)
    for number in (0, 1, 2, 5, 6, 7):  # 3 and 4 are lost; their copies come with 5 and 6
        buffer.put(datagrams[number])
    assert buffer.waiting == 8
    shapes = [buffer.take().shape[1] for _ in range(8)]
    assert shapes == [4, 4, 4, 2, 2, 4, 4, 4]
    assert (buffer.arrivals.recovered, buffer.arrivals.lost) == (2, 0)


def test_one_may_join_in_the_middle_and_count_beyond_65536():
    info = make_info()
    codes = make_codes(info, 1)
    buffer = JitterBuffer(info)
    assert buffer.take() is None and buffer.arrivals.lost == 0
    for frame in range(65_500, 65_600):
        buffer.put(encode_datagram([Part(frame, codes)], info, entropy=False))
        assert buffer.take() is not None
    assert (buffer.arrivals.played, buffer.arrivals.jumps) == (100, 0)


def test_a_stream_far_ahead_is_followed_and_memory_is_bounded():
    info = make_info()
    codes = make_codes(info, 16)
    buffer = JitterBuffer(info, capacity=32)
    for start in range(0, 3200, 16):  # nobody takes anything
        buffer.put(encode_datagram([Part(start, codes)], info, entropy=False))
        assert len(buffer._frames) <= 32
    assert buffer.arrivals.jumps > 0 and buffer.take() is not None
    buffer.put(encode_datagram([Part(5, codes)], info))
    assert buffer.arrivals.late == 1


def forged(data: bytes, info) -> bytes:
    """Any bytes with a right checksum."""
    datagram = encode_datagram([Part(0, make_codes(info, 1))], info)
    import binascii

    from audiocodec.bitstream.transport import _salt

    assert binascii.crc_hqx(datagram[:-2], _salt(info)).to_bytes(2, "little") == datagram[-2:]
    return data + binascii.crc_hqx(data, _salt(info)).to_bytes(2, "little")


@settings(max_examples=120, deadline=None)
@given(parts=st.integers(0, 15), rest=st.binary(min_size=2, max_size=300), seed=st.integers(0, 2**32 - 1))
def test_forged_datagrams_are_refused_or_give_codes_that_exist(parts, rest, seed):
    info = make_info(codebook_sizes=(1024, 1000, 3), sf_bits=(0, 2, 3), channels=2)
    data = bytearray(encode_datagram([Part(3, make_codes(info, 3)), Part(1, make_codes(info, 2)[:, :1])], info)[:-2])
    rng = np.random.default_rng(seed)
    if seed % 2:
        data = bytearray([0x10 | parts]) + rest
    else:
        for _ in range(3):
            data[rng.integers(1, len(data))] = rng.integers(256)
    try:
        found = decode_datagram(forged(bytes(data), info), info)
    except BitstreamError:
        return
    assert 1 <= len(found) <= MAX_PARTS
    for part in found:
        assert (part.codes < np.array(info.alphabet_sizes)[: part.codes.shape[1], None]).all()


@pytest.mark.parametrize(
    "options",
    [
        {"frames": 0},
        {"frames": 17},
        {"redundancy": [Redundancy(5)]},
        {"redundancy": [Redundancy(1, 256)]},
        {"redundancy": [Redundancy(1, d) for d in range(1, 17)]},
        {"frames": 16, "max_bytes": 40},
        {"tables": markov_tables()},
    ],
)
def test_impossible_settings_are_refused(options):
    with pytest.raises(ConfigError):
        Packetizer(make_info(), **options)
    with pytest.raises(ConfigError):
        JitterBuffer(make_info(), capacity=0)


def test_wrong_codes_are_refused():
    sender = Packetizer(make_info())
    for codes in (np.zeros((4, 3), int), np.zeros((1, 3, 2), int), np.zeros((1, 4, 2))):
        with pytest.raises(ShapeError):
            sender.push(codes)
    with pytest.raises(BitstreamError, match="outside"):
        sender.push(np.full((1, 4, 1), 64))
    with pytest.raises(BitstreamError, match="left over"):
        read_session(sender.header + b"x")
    assert zlib.crc32(sender.header[:-4]) == int.from_bytes(sender.header[-4:], "little")
