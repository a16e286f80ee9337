"""Round trips through files and pipes, sizes, and what is refused when writing."""

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec.bitstream.container import Packet, Reader, Writer, read, write
from audiocodec.bitstream.payload import _smallest
from audiocodec.errors import BitstreamError, ConfigError, ShapeError
from tests.bitstream.samples import SPEECH, Pipe, make_codes, make_info, make_markov, markov_tables, to_file

KINDS = st.sampled_from(["uniform", "skewed", "still"])


@settings(max_examples=60, deadline=None)
@given(
    n_q=st.integers(1, 64),
    bits=st.integers(1, 16),
    n_frames=st.integers(0, 2000),
    channels=st.sampled_from([1, 1, 2]),
    kind=KINDS,
    seed=st.integers(0, 99),
)
def test_fixed_width_round_trip(n_q, bits, n_frames, channels, kind, seed):
    info = make_info(codebook_sizes=(2**bits,) * n_q, channels=channels, original_samples=n_frames * 320)
    codes = make_codes(info, n_frames, kind, seed)
    back_info, back = read(io.BytesIO(to_file(info, codes, entropy=False)))
    assert (back == codes).all()
    assert (back.shape, back.dtype) == (codes.shape, np.uint16)
    assert back_info == replace(info, weights_sha256=info.weights_sha256[:4], config_sha256=info.config_sha256[:4])


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(2, 65_536) | st.sampled_from([2, 16, 1000, 1024]), min_size=1, max_size=8),
    sf_bits=st.integers(0, 3),
    n_frames=st.integers(0, 120),
    packet_frames=st.sampled_from([1, 2, 7, 30, 250]),
    channels=st.integers(1, 3),
    kind=KINDS,
    seed=st.integers(0, 99),
)
def test_entropy_coded_round_trip(sizes, sf_bits, n_frames, packet_frames, channels, kind, seed):
    info = make_info(codebook_sizes=tuple(sizes), sf_bits=sf_bits, channels=channels)
    codes = make_codes(info, n_frames, kind, seed)
    data = to_file(info, codes, packet_frames=packet_frames)
    assert len(data) <= len(to_file(info, codes, packet_frames=packet_frames, entropy=False))
    back = read(Pipe(data))[1]
    assert (back == codes).all()
    assert back.dtype == (np.uint16 if max(info.alphabet_sizes) <= 65_536 else np.uint32)


def test_static_tables_round_trip_and_are_needed():
    tables = markov_tables()
    info = make_info(codebook_sizes=(16, 16, 16), channels=2)
    codes = np.stack(make_markov(2, 300, seed=9))
    data = to_file(info, codes, tables=tables, packet_frames=100)
    assert {packet.mode for packet in Reader(io.BytesIO(data)).packets()} == {1}
    assert len(data) < 0.8 * len(to_file(info, codes, packet_frames=100))
    back_info, back = read(io.BytesIO(data), tables=tables)
    assert (back == codes).all()
    assert back_info.tables_id == tables.id
    with pytest.raises(BitstreamError, match=f"needs the entropy tables {tables.id.hex()}"):
        read(io.BytesIO(data))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=12), st.sampled_from([1, 2, 10, 33]))
def test_the_bytes_do_not_depend_on_how_codes_come_and_where_they_go(pieces, packet_frames):
    info = make_info(original_samples=sum(pieces) * 320)
    codes = make_codes(info, sum(pieces), "still")
    pipe = Pipe(at_once=5)
    with Writer(pipe, info, packet_frames=packet_frames) as writer:
        for piece in np.split(codes, np.cumsum(pieces), axis=2):
            writer.write(piece)
    assert bytes(pipe.data) == to_file(info, codes, packet_frames=packet_frames)
    assert writer.n_bytes == len(pipe.data)


def test_a_length_that_was_unknown_is_in_the_footer():
    info, codes = make_info(original_rate=44_100), make_codes(make_info(), 30)
    file = io.BytesIO()
    writer = Writer(file, info)
    writer.write(codes)
    writer.close(26_000)
    for source in (io.BytesIO(file.getvalue()), Pipe(file.getvalue())):
        assert read(source)[0].original_samples == 26_000
    assert Reader(io.BytesIO(file.getvalue())).info.original_samples == 26_000  # a file is asked at once
    pipe = Reader(Pipe(file.getvalue()))
    assert pipe.info.original_samples is None
    assert sum(codes.shape[2] for codes in pipe) == pipe.n_frames == 30
    assert pipe.info.original_samples == 26_000
    assert read(io.BytesIO(to_file(info, codes)))[0].original_samples is None


@pytest.mark.parametrize("seconds", [5.0, 5.02, 5.5, 6, 7.48, 7.5, 7.52, 8, 10, 20, 60, 600, 3600])
@pytest.mark.parametrize("original_rate", [16_000, 44_100])
def test_overhead_at_6_kbit_s_is_under_2_percent(seconds, original_rate):
    info = make_info(**SPEECH, original_rate=original_rate, original_samples=int(seconds * original_rate))
    data = to_file(info, make_codes(info, round(seconds * 50)), entropy=False)
    nominal = seconds * 750
    assert len(data) < 1.02 * nominal or (seconds == 5 and len(data) == 1.02 * nominal)
    assert seconds < 60 or len(data) < 1.006 * nominal


def test_noise_never_costs_more_than_fixed_width():
    info = make_info(**SPEECH)
    codes = make_codes(info, 1000)
    assert to_file(info, codes) == to_file(info, codes, entropy=False)


def test_codebooks_share_a_run_only_where_that_saves_3_percent():
    apart = Packet(0, 50, 4, bytes(1000), mode=2)
    for size, joined in ((970, False), (969, True), (1000, False)):
        together = Packet(0, 50, 4, bytes(size), mode=2, joined=True)
        assert _smallest(apart, [together]).joined == joined


def test_writing_refuses_what_the_format_cannot_hold():
    info = make_info(codebook_sizes=(64, 64), sf_bits=(0, 1))
    for bad, error in (
        (np.zeros((2, 5), dtype=int), ShapeError),
        (np.zeros((2, 2, 5), dtype=int), ShapeError),
        (np.zeros((1, 3, 5), dtype=int), ShapeError),
        (np.zeros((1, 2, 5)), ShapeError),
        (np.full((1, 2, 5), -1), BitstreamError),
        (np.full((1, 2, 5), 64), BitstreamError),
    ):
        with pytest.raises(error):
            to_file(info, bad)
    with pytest.raises(BitstreamError, match="code 127 of codebook 1 is outside 0 to 126"):
        to_file(info, np.array([[[63], [127]]]))
    for options in ({"packet_frames": 0}, {"packet_frames": 40_000}, {"tables": markov_tables()}):
        with pytest.raises(ConfigError):
            to_file(info, np.zeros((1, 2, 5), dtype=int), **options)


def test_more_samples_than_frames_are_refused():
    info = make_info(original_rate=8000)
    codes = make_codes(info, 10)
    for samples, good in ((1760, True), (1761, False)):  # one frame of tolerance: 11 * 320 / 2
        with io.BytesIO() as file:
            writer = Writer(file, info)
            writer.write(codes)
            if good:
                writer.close(samples)
            else:
                with pytest.raises(ConfigError, match="1761"):
                    writer.close(samples)


def test_an_exception_leaves_a_file_that_nobody_takes_for_whole():
    file, info = io.BytesIO(), make_info()
    with pytest.raises(RuntimeError), Writer(file, info) as writer:
        writer.write(make_codes(info, 500))
        raise RuntimeError
    with pytest.raises(BitstreamError, match="without its footer"):
        read(io.BytesIO(file.getvalue()))


def test_closing_twice_is_harmless_and_writing_afterwards_refused():
    file, info = io.BytesIO(), make_info()
    write(file, info, make_codes(info, 3))
    with Writer(io.BytesIO(), info) as writer:
        writer.close()
        writer.close()
        with pytest.raises(BitstreamError, match="closed"):
            writer.skip(1)


def test_packets_may_hold_fewer_codebooks():
    info = make_info()
    codes = make_codes(info, 30)
    file = io.BytesIO()
    with Writer(file, info) as writer:
        writer.write(codes[:, :, :10])
        writer.write(codes[:, :2, 10:])
    pieces = list(Reader(io.BytesIO(file.getvalue())))
    assert [piece.shape for piece in pieces] == [(1, 4, 10), (1, 2, 20)]
    assert (pieces[1] == codes[:, :2, 10:]).all()
    with pytest.raises(BitstreamError, match="different numbers of codebooks"):
        read(io.BytesIO(file.getvalue()))
