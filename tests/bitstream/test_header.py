"""Headers: what is written is read, in few bytes; every limit is kept; damage and foreign files are refused."""

import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocodec.bitstream.fields import varint, write_blocks
from audiocodec.bitstream.header import MAGIC, StreamInfo, encode_header, read_header
from audiocodec.bitstream.source import Source
from audiocodec.errors import BitstreamError, ConfigError, ModelMismatchError
from tests.bitstream.samples import SPEECH, Pipe, make_info


def read_back(data: bytes) -> StreamInfo:
    info, seen = read_header(Source(Pipe(data)).exactly)
    assert seen == data
    return info


names = st.from_regex(r"[A-Za-z0-9ü][A-Za-z0-9._ü-]{0,20}(/[A-Za-z0-9][A-Za-z0-9._-]{0,20})?", fullmatch=True)


@st.composite
def headers(draw: st.DrawFn) -> StreamInfo:
    n_q = draw(st.integers(1, 64))
    one_size = st.integers(2, 65_536).map(lambda size: (size,) * n_q)
    rates = st.integers(1, 768_000)
    return make_info(
        model_name=draw(names | st.just("")),
        sample_rate=draw(rates),
        original_rate=draw(rates),
        hop_length=draw(st.integers(1, 1 << 20)),
        channels=draw(st.integers(1, 32)),
        codec_channels=draw(st.integers(1, 8)),
        codebook_sizes=draw(one_size | st.tuples(*[st.integers(2, 65_536)] * n_q)),
        sf_bits=draw(st.integers(0, 3) | st.tuples(*[st.integers(0, 3)] * n_q)),
        tags=draw(st.dictionaries(st.text(max_size=9), st.text(max_size=30), max_size=4)),
        tables_id=draw(st.just(b"") | st.binary(min_size=8, max_size=8)),
    )


@given(headers(), st.booleans())
def test_what_is_written_is_read(info, full_hashes):
    back = read_back(encode_header(info, full_hashes=full_hashes))
    if not full_hashes:
        info = replace(info, weights_sha256=info.weights_sha256[:4], config_sha256=info.config_sha256[:4])
    assert back == info


def test_the_header_of_the_shipped_model_takes_less_than_40_bytes():
    assert len(encode_header(make_info(**SPEECH))) == 39


def test_derived_figures():
    info = make_info(**SPEECH, original_samples=80_001, original_rate=32_000, channels=3, codec_channels=2)
    assert (info.n_q, info.frame_rate, info.n_frames, info.n_streams) == (12, 50, 126, 2)
    assert info.bitrate == 12_000
    sf = make_info(codebook_sizes=(1000, 3), sf_bits=(2, 3))
    assert sf.alphabet_sizes == (999 * 4 + 1, 2 * 8 + 1)
    assert sf.widths == (12, 5)
    assert sf.first_codebooks(1) == make_info(codebook_sizes=(1000,), sf_bits=2)


@pytest.mark.parametrize(
    "change",
    [
        {"codebook_sizes": ()},
        {"codebook_sizes": (4,) * 65},
        {"codebook_sizes": (1,)},
        {"codebook_sizes": (65_537,)},
        {"sf_bits": 4},
        {"sf_bits": (0, 0)},
        {"sample_rate": 0},
        {"original_rate": 768_001},
        {"hop_length": 0},
        {"channels": 33},
        {"codec_channels": 9},
        {"original_samples": -1},
        {"weights_sha256": b"abc"},
        {"config_sha256": "text"},
        {"tables_id": b"short"},
        {"model_name": "../../etc/passwd"},
        {"model_name": "/tmp/model"},
        {"model_name": "a/b/c"},
        {"model_name": "C:\\model"},
        {"model_name": "~root"},
        {"model_name": "line\nbreak"},
        {"model_name": "x" * 256},
    ],
)
def test_limits_are_kept_when_writing(change):
    with pytest.raises(ConfigError):
        make_info(**change)


def test_a_stranger_cannot_write_a_name_that_is_a_path():
    data = encode_header(make_info(model_name="ab/secret"))
    forged = data[:-4].replace(b"ab/secret", b"../secret")
    with pytest.raises(BitstreamError, match="model name"):
        read_back(with_checksum(forged))


def test_tags_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="shorten the tags"):
        encode_header(make_info(tags={"text": "x" * 65_536}))


def test_every_flipped_bit_of_a_header_is_noticed():
    data = encode_header(make_info(tags={"title": "test"}))
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(BitstreamError):
            read_back(bytes(changed))


def test_foreign_files_are_named_as_such():
    for data in (b"RIFF....WAVEfmt ", b"\x89PNG\r\n\x1a\n" * 3, b"\x89ANC\n\x10 text mode transfer"):
        with pytest.raises(BitstreamError, match=r"not a \.anc file"):
            read_back(data)


def test_later_major_versions_are_refused_and_later_minor_ones_read():
    data = encode_header(make_info())
    with pytest.raises(BitstreamError, match=r"version 2\.5"):
        read_back(with_checksum(data[:6] + b"\x25" + data[7:-4]))
    assert read_back(with_checksum(data[:6] + b"\x1f" + data[7:-4])).model_name == "speech-16k"


@pytest.mark.parametrize(("kind", "good"), [(40, True), (127, True), (128, False), (255, False)])
def test_unknown_blocks_are_skipped_unless_required(kind, good):
    data = encode_header(make_info())
    body = data[8:-4] + write_blocks([(kind, b"new")])
    changed = with_checksum(MAGIC + b"\x11" + varint(len(body)) + body)
    if good:
        assert read_back(changed).n_q == 4
    else:
        with pytest.raises(BitstreamError, match="update audiocodec"):
            read_back(changed)


def test_wrong_models_are_refused_with_both_names():
    info = read_back(encode_header(make_info()))
    info.check_model("speech-16k", bytes(range(32)), bytes(range(32, 64)))
    for weights, config in ((bytes(32), bytes(range(32, 64))), (bytes(range(32)), bytes(32))):
        assert not info.is_model(weights, config)
        with pytest.raises(ModelMismatchError, match=r"speech-16k.*music-44k"):
            info.check_model("music-44k", weights, config)


def test_full_hashes_must_be_whole_and_agree():
    with pytest.raises(ConfigError, match="whole"):
        encode_header(make_info(weights_sha256=bytes(8)), full_hashes=True)
    data = encode_header(make_info(), full_hashes=True)
    with pytest.raises(BitstreamError, match="do not agree"):
        read_back(with_checksum(data[:-4].replace(bytes(range(32)), bytes(32))))


def with_checksum(data: bytes) -> bytes:
    return data + zlib.crc32(data).to_bytes(4, "little")
