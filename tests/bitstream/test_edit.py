"""Cutting, dropping codebooks and joining: the codes that stay are the codes that were."""

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec.bitstream.container import Reader, Writer, read
from audiocodec.bitstream.edit import concatenate, cut, truncate
from audiocodec.errors import BitstreamError, ConfigError
from tests.bitstream.samples import Pipe, make_codes, make_info, make_markov, markov_tables, to_file

INFO = make_info(original_rate=44_100, original_samples=300 * 882 - 100, tags={"title": "test"})
CODES = {kind: make_codes(INFO, 300, kind) for kind in ("uniform", "still")}
FILES = {kind: to_file(INFO, codes, packet_frames=40) for kind, codes in CODES.items()}


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.integers(0, 300), st.integers(0, 300), st.booleans())
def test_cut_gives_the_stretch_with_its_length(kind, one, other, pipe):
    start, end = sorted((one, other))
    target = io.BytesIO()
    told = cut(Pipe(FILES[kind], 500) if pipe else io.BytesIO(FILES[kind]), target, start, end)
    info, codes = read(io.BytesIO(target.getvalue()))
    assert (codes == CODES[kind][:, :, start:end]).all()
    if not pipe:
        assert info.original_samples == min(end * 882, 300 * 882 - 100) - min(start * 882, 300 * 882 - 100)
        assert told.original_samples == info.original_samples
    assert info.tags == INFO.tags


def test_cut_to_the_end_and_beyond():
    target = io.BytesIO()
    cut(io.BytesIO(FILES["uniform"]), target, 250)
    info, codes = read(io.BytesIO(target.getvalue()))
    assert (codes.shape[2], info.original_samples) == (50, 50 * 882 - 100)
    for start, end in ((0, 301), (301, None), (20, 10), (-1, 5)):
        with pytest.raises(ConfigError):
            cut(io.BytesIO(FILES["uniform"]), io.BytesIO(), start, end)


def test_cut_at_packets_copies_them_as_they_are():
    target = io.BytesIO()
    cut(io.BytesIO(FILES["still"]), target, 80, 160)
    before = [p.payload for p in Reader(io.BytesIO(FILES["still"])).packets()][2:4]
    assert [p.payload for p in Reader(io.BytesIO(target.getvalue())).packets()] == before


@pytest.mark.parametrize("packet_frames", [1, 3, 40, 200])
@pytest.mark.parametrize("n_q", [1, 2, 3])
@pytest.mark.parametrize("kind", ["uniform", "still", "tables"])
def test_truncate_keeps_the_first_codebooks(kind, n_q, packet_frames):
    tables = None
    if kind == "tables":
        tables = markov_tables()
        info, codes = make_info(codebook_sizes=(16,) * 3), make_markov(1, 300, seed=3)[0][None]
    else:
        info, codes = INFO, CODES[kind]
    target = io.BytesIO()
    data = to_file(info, codes, packet_frames=packet_frames, tables=tables)
    truncate(io.BytesIO(data), target, n_q, tables=tables)
    back_info, back = read(io.BytesIO(target.getvalue()), tables=tables)
    assert (back == codes[:, :n_q]).all()
    assert back_info.codebook_sizes == info.codebook_sizes[:n_q]
    assert back_info.original_samples == info.original_samples
    assert len(target.getvalue()) < len(data) or n_q == info.n_q or packet_frames == 1  # 18 bits take 3 bytes as 24 do


def test_truncate_decodes_nothing_in_long_packets(monkeypatch):
    tables = markov_tables()
    codes = make_markov(1, 600, seed=3)[0][None]
    data = to_file(make_info(codebook_sizes=(16,) * 3), codes, packet_frames=200, tables=tables)
    target = io.BytesIO()
    truncate(io.BytesIO(data), target, 2)  # without tables nothing could be decoded
    assert (read(io.BytesIO(target.getvalue()), tables=tables)[1] == codes[:, :2]).all()


def test_truncate_in_fixed_width_gives_what_a_writer_would_have_written():
    target = io.BytesIO()
    truncate(io.BytesIO(FILES["uniform"]), target, 3)
    info = INFO.first_codebooks(3)
    assert target.getvalue() == to_file(info, CODES["uniform"][:, :3], packet_frames=40)
    with pytest.raises(ConfigError, match="n_q must be 1 to 4"):
        truncate(io.BytesIO(FILES["uniform"]), io.BytesIO(), 5)


def test_joined_files_follow_one_another():
    target = io.BytesIO()
    info = concatenate([Pipe(FILES["uniform"]), io.BytesIO(FILES["still"])], target)
    back_info, codes = read(io.BytesIO(target.getvalue()))
    assert (codes == np.concatenate([CODES["uniform"], CODES["still"]], axis=2)).all()
    assert back_info.original_samples == info.original_samples == 300 * 882 + 300 * 882 - 100


def test_cutting_and_joining_is_the_identity():
    pieces = []
    for start, end in ((0, 111), (111, 112), (112, 300)):
        pieces.append(io.BytesIO())
        cut(io.BytesIO(FILES["still"]), pieces[-1], start, end)
        pieces[-1].seek(0)
    target = io.BytesIO()
    concatenate(pieces, target)
    info, codes = read(io.BytesIO(target.getvalue()))
    assert (codes == CODES["still"]).all()
    assert info.original_samples == INFO.original_samples


def test_files_that_do_not_fit_are_not_joined():
    for change in ({"codebook_sizes": (64,) * 3}, {"weights_sha256": bytes(32)}, {"channels": 2}, {"sf_bits": 1}):
        info = replace(INFO, **change)
        other = io.BytesIO(to_file(info, make_codes(info, 300)))
        with pytest.raises(ConfigError, match="file 2 cannot be joined"):
            concatenate([io.BytesIO(FILES["still"]), other], io.BytesIO())
    with pytest.raises(ConfigError, match="nothing to join"):
        concatenate([], io.BytesIO())


def test_gaps_and_unknown_lengths_survive():
    file, info = io.BytesIO(), replace(INFO, original_samples=None)
    with Writer(file, info, packet_frames=40) as writer:
        writer.write(CODES["uniform"][:, :, :100])
        writer.skip(50)
        writer.write(CODES["uniform"][:, :, 150:])
    for edit, end in (
        (lambda source, target: cut(source, target, 90, 160), 70),
        (lambda source, target: truncate(source, target, 2), 300),
        (lambda source, target: concatenate([source], target), 300),
    ):
        target = io.BytesIO()
        edit(io.BytesIO(file.getvalue()), target)
        reader = Reader(io.BytesIO(target.getvalue()), tolerant=True)
        assert sum(codes.shape[2] for codes in reader) == end
        lost = [packet for packet in Reader(io.BytesIO(target.getvalue())).packets() if packet.mode == 15]
        assert sum(packet.n_frames for packet in lost) == 50


def test_full_hashes_survive():
    data = to_file(INFO, CODES["still"], full_hashes=True)
    target = io.BytesIO()
    truncate(io.BytesIO(data), target, 2)
    assert read(io.BytesIO(target.getvalue()))[0].weights_sha256 == INFO.weights_sha256


def test_damage_is_not_copied():
    data = bytearray(FILES["uniform"])
    data[300] ^= 1
    for edit in (
        lambda source: cut(source, io.BytesIO(), 0, 300),
        lambda source: truncate(source, io.BytesIO(), 2),
        lambda source: concatenate([source], io.BytesIO()),
    ):
        with pytest.raises(BitstreamError):
            edit(io.BytesIO(data))
