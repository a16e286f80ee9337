"""Seeking, pipes, live streams, tolerance of damage."""

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec.bitstream import footer
from audiocodec.bitstream.container import MODE_LOST, Reader, Writer
from audiocodec.errors import BitstreamError, ConfigError
from tests.bitstream.samples import SPEECH, Pipe, make_codes, make_info, to_file

INFO = make_info(**SPEECH)
CODES = make_codes(INFO, 3000)
FILE = to_file(INFO, CODES, packet_frames=50)
"""A minute in packets of a second; 46 kB, so that there are seek points."""


class CountingFile(io.BytesIO):
    """Counts the bytes read."""

    n_read = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.n_read += len(data)
        return data


def test_the_footer_has_seek_points():
    index = Reader(io.BytesIO(FILE)).footer.index
    assert len(index) == 2
    for frame, offset in index:
        assert FILE[offset : offset + 2] == b"\xf1\x9a"
        assert frame % 50 == 0


def test_there_are_never_too_many_seek_points(monkeypatch):
    monkeypatch.setattr(footer, "INDEX_SPACING", 100)
    monkeypatch.setattr(footer, "INDEX_POINTS", 8)
    reader = Reader(io.BytesIO(to_file(INFO, CODES, packet_frames=50)))
    index = reader.footer.index
    assert 4 <= len(index) <= 8
    gaps = np.diff([0, *(frame for frame, _ in index), 3000])
    assert gaps.max() <= 2 * gaps[:-1].min()  # spread over the whole file
    assert reader.seek(1777) == 1750
    assert (next(iter(reader)) == CODES[:, :, 1750:1800]).all()


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=4))
def test_seek_goes_to_the_packet_that_holds_the_frame(frames):
    reader = Reader(io.BytesIO(FILE))
    for frame in frames:
        first = reader.seek(frame)
        assert first == frame // 50 * 50
        rest = [np.zeros((1, 12, 0)), *reader]
        assert (np.concatenate(rest, axis=2) == CODES[:, :, first:]).all()


def test_seek_reads_only_what_it_needs():
    file = CountingFile(FILE)
    reader = Reader(file)
    reader.seek(2400)
    next(iter(reader))
    assert file.n_read < 20_000  # the footer, one stretch between seek points, one packet; the file has 46 kB


def test_seek_beyond_the_end_and_back_in_a_pipe_are_refused():
    reader = Reader(io.BytesIO(FILE))
    with pytest.raises(ConfigError, match="the file has 3000 frames"):
        reader.seek(3001)
    pipe = Reader(Pipe(FILE, at_once=999))
    assert pipe.seek(777) == 750
    assert (next(iter(pipe)) == CODES[:, :, 750:800]).all()
    with pytest.raises(ConfigError, match="cannot go back"):
        pipe.seek(100)


def test_files_that_begin_in_the_middle_of_another_are_read():
    file = io.BytesIO(b"something else" + FILE)
    file.seek(14)
    reader = Reader(file)
    assert reader.seek(1000) == 1000
    assert (np.concatenate(list(reader), axis=2) == CODES[:, :, 1000:]).all()


def test_a_damaged_packet_costs_its_own_frames_and_nothing_else():
    damaged = bytearray(FILE)
    damaged[10_000] ^= 4
    with pytest.raises(BitstreamError, match="damaged"):
        list(Reader(io.BytesIO(damaged)))
    for source in (io.BytesIO(damaged), Pipe(bytes(damaged), at_once=1000)):
        reader = Reader(source, tolerant=True)
        packets = list(reader.packets())
        [damage] = reader.damage
        assert damage.end_frame - damage.first_frame == 50
        assert damage.first_byte <= 10_000 < damage.end_byte
        good = [packet for packet in packets if packet.mode != MODE_LOST]
        assert len(good) == 59
        assert all((reader.decode(p) == CODES[:, :, p.frame : p.end]).all() for p in good)


def test_iteration_conceals_by_repeating_the_frame_before():
    damaged = bytearray(FILE)
    damaged[10_000] ^= 4
    reader = Reader(io.BytesIO(damaged), tolerant=True)
    codes = np.concatenate(list(reader), axis=2)
    first = reader.damage[0].first_frame
    expected = CODES.copy()
    expected[:, :, first : first + 50] = CODES[:, :, first - 1 : first]
    assert (codes == expected).all()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(100, len(FILE) - 60), st.integers(0, 3000)), max_size=4), st.booleans())
def test_whatever_is_torn_out_the_timeline_stays(holes, pipe):
    data = bytearray(FILE)
    for start, length in sorted(holes, reverse=True):
        del data[start : min(start + length, len(FILE) - 40)]
    reader = Reader(Pipe(bytes(data), at_once=4096) if pipe else io.BytesIO(data), tolerant=True)
    position = 0
    for packet in reader.packets():
        assert packet.frame == position
        position = packet.end
        if packet.mode != MODE_LOST:
            assert (reader.decode(packet) == CODES[:, :, packet.frame : packet.end]).all()
    assert position == 3000 or not reader.ended_well


def test_a_listener_may_join_in_the_middle():
    live = io.BytesIO()
    with Writer(live, INFO, packet_frames=10) as writer:
        for start in range(0, 200, 50):
            writer.repeat_header()
            writer.write(CODES[:, :, start : start + 50])
            writer.flush()
    whole = np.concatenate(list(Reader(Pipe(live.getvalue()))), axis=2)  # repeated headers are no damage
    assert (whole == CODES[:, :, :200]).all()
    joined = Reader(Pipe(live.getvalue()[1000:]), tolerant=True)
    codes = np.concatenate([joined.decode(p) for p in joined.packets() if p.mode != MODE_LOST], axis=2)
    assert (codes == CODES[:, :, 100:200]).all()


def test_another_header_in_the_middle_is_refused():
    other = to_file(make_info(codebook_sizes=(1024,) * 12, model_name="other-one!"), CODES[:, :, :50])
    cut = FILE.index(b"\xf1\x9a", 20_000)
    with pytest.raises(BitstreamError, match="differs from the first"):
        list(Reader(io.BytesIO(FILE[:cut] + other)))


def test_redundant_packets_are_used_only_where_the_first_is_lost():
    file = io.BytesIO()
    with Writer(file, INFO, packet_frames=10) as writer:
        for start in range(0, 100, 10):
            writer.write(CODES[:, :, start : start + 10])
            writer.flush()
            if start:
                one = to_file(INFO, CODES[:, :3, start : start + 10], packet_frames=10)
                packet = next(Reader(io.BytesIO(one)).packets())
                writer.write_packet(replace(packet, frame=start, redundant=True))
    assert (np.concatenate(list(Reader(io.BytesIO(file.getvalue()))), axis=2) == CODES[:, :, :100]).all()
    at = [i for i in range(len(file.getvalue())) if file.getvalue()[i : i + 2] == b"\xf1\x9a"]
    lost = file.getvalue()[: at[5]] + file.getvalue()[at[6] :]  # the packet of frames 30 to 39, one copy follows
    reader = Reader(io.BytesIO(lost), tolerant=True)
    packets = list(reader.packets())
    assert [packet.n_q for packet in packets] == [12, 12, 12, 3, 12, 12, 12, 12, 12, 12]
    assert (reader.decode(packets[3]) == CODES[:, :3, 30:40]).all()
    assert [damage.reason for damage in reader.damage] == ["the hash of the file is wrong: it was altered"]
    assert reader.ended_well


def test_lost_frames_are_refused_unless_they_are_to_be_concealed():
    file = io.BytesIO()
    with Writer(file, INFO) as writer:
        writer.write(CODES[:, :, :10])
        writer.skip(100)
        writer.write(CODES[:, :, 10:20])
    with pytest.raises(BitstreamError, match="frames 10 to 109 are marked as lost"):
        list(Reader(io.BytesIO(file.getvalue())))
    codes = np.concatenate(list(Reader(io.BytesIO(file.getvalue()), tolerant=True)), axis=2)
    assert codes.shape == (1, 12, 120)
    assert (codes[:, :, 10:110] == CODES[:, :, 9:10]).all()


def test_a_destroyed_header_can_be_replaced():
    with pytest.raises(BitstreamError):
        Reader(io.BytesIO(FILE[10:]), tolerant=True)
    reader = Reader(io.BytesIO(FILE[10:]), tolerant=True, info=INFO)
    assert (np.concatenate(list(reader), axis=2) == CODES).all()
    with pytest.raises(ConfigError, match="tolerant"):
        Reader(io.BytesIO(FILE), info=INFO)


def test_a_file_still_being_written_is_read_up_to_where_it_is():
    pieces = []
    with pytest.raises(BitstreamError, match="cut off"):
        for codes in Reader(io.BytesIO(FILE[:20_000])):
            pieces.append(codes)
    assert (np.concatenate(pieces, axis=2) == CODES[:, :, : 50 * len(pieces)]).all()
    assert len(pieces) == 26
    tolerant = Reader(io.BytesIO(FILE[:20_000]), tolerant=True)
    assert sum(codes.shape[2] for codes in tolerant) == 1300
    assert not tolerant.ended_well
    assert tolerant.n_frames is None


def test_seek_in_a_file_without_footer():
    reader = Reader(io.BytesIO(FILE[:-1]))
    assert reader.seek(2000) == 2000
    assert (next(iter(reader)) == CODES[:, :, 2000:2050]).all()
