"""Damaged and forged files: every truncation, every flipped bit, bursts, fuzzing, bounds of memory."""

import io
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from audiocodec.bitstream.container import Reader, read
from audiocodec.bitstream.header import encode_header
from audiocodec.bitstream.packets import MAX_CODES, MODE_ADAPTIVE, MODE_LOST, Packet
from audiocodec.bitstream.repair import verify
from audiocodec.errors import BitstreamError
from benchmarks.container_mutations import Corpus, assemble
from benchmarks.fuzz_container import run
from tests.bitstream.samples import make_info


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus()


def is_read(data: bytes, corpus: Corpus) -> bool:
    try:
        read(io.BytesIO(data), tables=corpus.tables)
    except BitstreamError:
        return False
    return True


def test_every_truncation_of_every_file_is_refused(corpus):
    assert all(is_read(data, corpus) for data in corpus.bytes)
    cut = [data[:end] for data in corpus.bytes for end in range(len(data))]
    assert len(cut) == sum(map(len, corpus.bytes)) > 1000
    assert not [data for data in cut if is_read(data, corpus)]


@pytest.mark.parametrize("which", [0, 3])  # fixed width; static tables, joined
def test_every_flipped_bit_is_noticed(corpus, which):
    data = corpus.bytes[which]
    unnoticed = []
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit >> 3] ^= 1 << (bit & 7)
        if is_read(bytes(changed), corpus):
            unnoticed.append(bit)
    assert 8 * len(data) > 1200
    assert unnoticed == []


def test_bursts_of_up_to_32_bits_are_noticed(corpus):
    rng = np.random.default_rng(0)
    for _ in range(1500):
        data = corpus.bytes[rng.integers(len(corpus.bytes))]
        whole = int.from_bytes(data, "big")
        burst = int(rng.integers(1, 1 << 32)) << int(rng.integers(8 * len(data) - 32))
        assert not is_read((whole ^ burst).to_bytes(len(data), "big"), corpus)


@pytest.mark.parametrize(("harness", "executions"), [("raw", 1500), ("repaired", 600)])
def test_fuzzing_raises_nothing_but_codec_errors(harness, executions):
    counts = run(harness, executions, seconds=60, seed=1)
    assert counts.total() == executions
    assert counts["accepted"] > 50  # otherwise nothing behind the first check was reached
    assert counts["refused"] > 200


@pytest.mark.slow
@pytest.mark.parametrize("harness", ["raw", "repaired"])
def test_long_fuzzing(harness):
    assert run(harness, executions=200_000, seconds=3600, seed=2).total() == 200_000


def varint_of(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


BOMBS = {
    # one code of 65536 in 65536 / 16 bytes of zeros, the most that a byte may stand for
    "coded zeros": (
        make_info(codebook_sizes=(2,)),
        [Packet(i * MAX_CODES, MAX_CODES, 1, b"\x01" + bytes(MAX_CODES // 16), MODE_ADAPTIVE, True) for i in range(1)],
    ),
    "wide codes": (
        make_info(codebook_sizes=(65_536,), sf_bits=3),
        [Packet(i * 8000, 8000, 1, b"\x00" + bytes(8000), MODE_ADAPTIVE, True) for i in range(6)],
    ),
    "smallest packets": (make_info(codebook_sizes=(2,)), [Packet(i, 1, 1, b"\x00") for i in range(1000)]),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_memory_is_bounded_by_the_size_of_the_file(kind):
    info, packets = BOMBS[kind]
    start = b"\xf1\x65" + varint_of(packets[-1].end) + b"\0"
    data = assemble(info, packets, {"start": start, "sequence": 0})
    bytes_per_code = 4 if kind == "wide codes" else 2
    assert peak_of(lambda: read(io.BytesIO(data))) < 4 * 2**20 + 32 * bytes_per_code * len(data)
    assert peak_of(lambda: verify(io.BytesIO(data))) < 4 * 2**20


@pytest.mark.parametrize(
    "claim",
    [
        {"frame": 0, "n_frames": 65_537},
        {"frame": 2**32 - 5, "n_frames": 10},
        {"frame": 0, "n_frames": 65_536, "mode": 1},
        {"frame": 0, "n_frames": 65_536, "mode": 2, "payload": b"\x00"},
        {"frame": 0, "n_frames": 30_000, "mode": 2, "payload": bytes(40)},
        {"frame": 0, "n_frames": 65_536},
    ],
)
def test_claims_are_checked_before_anything_is_allocated(claim):
    info = make_info(codebook_sizes=(1024,) * 2)
    packet = replace(Packet(0, 1, 2, b"\0" * 3), **claim)
    data = assemble(info, [packet], {"start": b"\xf1\x65\x01\x00", "sequence": 0})

    def refused() -> None:
        with pytest.raises(BitstreamError):
            read(io.BytesIO(data))

    assert peak_of(refused) < 2**19


def test_the_largest_packet_is_read_and_packets_have_their_place_in_the_sequence():
    info = make_info(codebook_sizes=(1024,) * 2)
    packet = Packet(0, 32_768, 2, b"\0" + bytes(4096), MODE_ADAPTIVE, joined=True)
    footer = {"start": b"\xf1\x65" + varint_of(32_768) + b"\0", "sequence": 0}
    assert not read(io.BytesIO(assemble(info, [packet], footer)))[1].any()
    with pytest.raises(BitstreamError, match="packet 7"):
        read(io.BytesIO(assemble(info, [packet], footer | {"sequence": 7})))


def one_packet(payload: bytes, n_frames: int, joined: bool, size: int = 1024, mode: int = MODE_ADAPTIVE) -> bytes:
    """A file of one packet of two codebooks, in which all but the packet is right."""
    info = make_info(codebook_sizes=(size,) * 2)
    footer = {"start": b"\xf1\x65" + varint_of(n_frames) + b"\0", "sequence": 0}
    return assemble(info, [Packet(0, n_frames, 2, payload, mode, joined)], footer)


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        # 65536 codes are the most, and they take at least 4096 bytes
        (one_packet(bytes(4097), 32_768, True), one_packet(bytes(4098), 32_769, True), "number of codes"),
        (one_packet(bytes(4097), 32_768, True), one_packet(bytes(4096), 32_768, True), "too short"),
        # 160 codes of 10 bits take 200 bytes, and at least 10, so that at most 190 can be saved
        (
            one_packet(b"\0\xbe\1\xbe\1" + bytes(20), 160, False),
            one_packet(b"\0\xbf\1\xbf\1" + bytes(18), 160, False),
            "bytes saved is 191; allowed are 0 to 190",
        ),
        # a codebook of 1000 has no code 1001
        (
            one_packet((999 << 14 | 999 << 4).to_bytes(3, "big"), 1, False, 1000, 0),
            one_packet((999 << 14 | 1001 << 4).to_bytes(3, "big"), 1, False, 1000, 0),
            "code 1001 of codebook 1",
        ),
    ],
)
def test_limits_of_payloads(good, bad, message):
    read(io.BytesIO(good))
    with pytest.raises(BitstreamError, match=message):
        read(io.BytesIO(bad))


def test_a_footer_cannot_claim_samples_that_the_frames_do_not_hold():
    info = make_info(codebook_sizes=(1024,) * 2)
    packet = Packet(0, 4, 2, bytes(10))
    for samples, good in ((5 * 320, True), (5 * 320 + 1, False), (2**47, False)):
        data = assemble(info, [packet], {"start": b"\xf1\x65\x04" + varint_of(samples + 1), "sequence": 0})
        if good:
            assert read(io.BytesIO(data))[0].original_samples == samples
        else:
            with pytest.raises(BitstreamError, match="number of samples"):
                read(io.BytesIO(data))


def test_an_endless_header_or_footer_is_not_read():
    huge = b"\x89ANC\r\n\x10\xff\xff\x7f"
    for data in (huge, encode_header(make_info()) + b"\xf1\x65" + bytes(3_000_000)):
        file = io.BytesIO(data)
        assert peak_of(lambda file=file: refuses(file)) < 2**20


def test_a_gap_too_long_to_believe_is_not_concealed():
    info = make_info()
    packets = [Packet(0, 1, 4, b"\0\0\0"), Packet(2**31, 1, 4, b"\0\0\0")]
    data = assemble(info, packets, {"start": b"\xf1\x65\x01\x00", "sequence": 0})
    assert sum(codes.shape[2] for codes in Reader(io.BytesIO(data), tolerant=True)) == 1
    lost = [Packet(i * 65_536, 65_536, 4, b"", MODE_LOST) for i in range(40)]
    data = assemble(info, lost, {"start": b"\xf1\x65\x01\x00", "sequence": 0})
    assert sum(codes.shape[2] for codes in Reader(io.BytesIO(data), tolerant=True)) <= 2**20 + 16 * len(data)


def test_time_is_bounded_for_the_worst_of_files():
    started = time.perf_counter()
    assert refuses(io.BytesIO(encode_header(make_info()) + b"\xf1\x9a\x00\x00\x00\x01\xff\xff\x03" * 20_000))
    assert time.perf_counter() - started < 5


def refuses(file: io.BytesIO) -> bool:
    try:
        for _ in Reader(file, tolerant=True):
            pass
        file.seek(0)
        read(file)
    except BitstreamError:
        return True
    return False


def peak_of(call) -> int:
    """Bytes allocated at most during a call."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
