"""verify finds each planted fault; repair saves every undamaged packet."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec.bitstream.container import Reader
from audiocodec.bitstream.repair import repair, verify
from audiocodec.errors import BitstreamError
from tests.bitstream.samples import Pipe, make_codes, make_info, make_markov, markov_tables, to_file

INFO = make_info(original_samples=20 * 25 * 320 - 7)
CODES = make_codes(INFO, 500)
FILE = to_file(INFO, CODES, packet_frames=25)
PACKETS = [i for i in range(len(FILE)) if FILE[i : i + 2] == b"\xf1\x9a"]


def test_a_whole_file_is_found_whole():
    for source in (io.BytesIO(FILE), Pipe(FILE)):
        report = verify(source)
        assert report.ok
        assert (report.n_packets, report.n_frames, report.n_lost, report.damage) == (20, 500, 0, ())
        assert "20 good packets, 500 frames (10.00 s), 0 lost" in str(report)


def plant(kind: str) -> bytes:
    data, third, fourth = bytearray(FILE), PACKETS[3], PACKETS[4]
    match kind:
        case "flipped payload":
            data[third + 20] ^= 1
        case "flipped length":
            data[third + 7] ^= 0x40
        case "flipped sync":
            data[third] ^= 1
        case "zeroed":
            data[third:fourth] = bytes(fourth - third)
        case "torn out":
            del data[third:fourth]
        case "torn in half":
            del data[third + 10 : fourth]
        case "junk between":
            data[third:third] = b"\xf1\x9a junk \xf1\x65 junk \x89ANC"
        case "doubled":
            data[third:third] = data[third:fourth]
        case "swapped":
            data[third : PACKETS[5]] = data[fourth : PACKETS[5]] + data[third:fourth]
        case "cut off":
            del data[PACKETS[17] + 5 :]
        case "no footer":
            del data[-16:]
        case "altered footer":
            data[-18] ^= 1
        case "junk at the end":
            data += b"junk"
    return bytes(data)


FAULTS = {
    "flipped payload": 25, "flipped length": 25, "flipped sync": 25, "zeroed": 25, "torn out": 25, "torn in half": 25,
    "junk between": 0, "doubled": 0, "swapped": 25, "cut off": None, "no footer": 0, "altered footer": 0,
    "junk at the end": 0,
}  # fmt: skip
"""Frames lost by each; None: how many is not known, because the end is missing."""


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("pipe", [False, True])
def test_every_planted_fault_is_found_and_repaired(fault, pipe):
    data = plant(fault)
    report = verify(Pipe(data, 999) if pipe else io.BytesIO(data))
    assert not report.ok
    assert report.damage
    assert report.n_lost == (FAULTS[fault] or 0)
    assert str(report).count("\n") >= 1
    target = io.BytesIO()
    assert repair(Pipe(data, 999) if pipe else io.BytesIO(data), target) == report
    again = verify(io.BytesIO(target.getvalue()))
    assert not again.damage
    assert again.has_footer
    assert again.ok == (not report.n_lost)
    codes = np.concatenate(list(Reader(io.BytesIO(target.getvalue()), tolerant=True)), axis=2)
    n_frames = 425 if fault == "cut off" else 500
    assert codes.shape[2] == n_frames
    right = (codes == CODES[:, :, :n_frames]).all(axis=(0, 1))
    assert right.sum() == n_frames - report.n_lost
    if fault not in ("cut off", "no footer", "altered footer", "junk at the end"):
        assert again.info.original_samples == INFO.original_samples


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(60, len(FILE) - 1), min_size=1, max_size=6, unique=True))
def test_every_packet_that_is_whole_is_saved(places):
    data = bytearray(FILE)
    for place in places:
        data[place] ^= 0xFF
    target = io.BytesIO()
    report = repair(io.BytesIO(data), target)
    hit = {i for i, start in enumerate(PACKETS) for p in places if start <= p < [*PACKETS, len(FILE)][i + 1]}
    whole = len(set(range(20)) - hit)
    assert whole <= report.n_packets <= whole + 1  # a hit in the footer counts for the last packet here
    assert not verify(io.BytesIO(target.getvalue())).damage


def test_packets_that_need_tables_are_checked_as_far_as_possible():
    tables = markov_tables()
    data = to_file(make_info(codebook_sizes=(16,) * 3), make_markov(1, 300)[0][None], packet_frames=100, tables=tables)
    with_tables, without = verify(io.BytesIO(data), tables=tables), verify(io.BytesIO(data))
    assert with_tables.ok
    assert without.ok
    assert (with_tables.n_unchecked, without.n_unchecked) == (0, 3)
    assert "3 packets have the right checksum but were not decoded" in str(without)


def test_a_destroyed_header_is_replaced_by_that_of_another_file():
    data = bytes(20) + FILE[20:]
    with pytest.raises(BitstreamError, match="not a"):
        verify(io.BytesIO(data))
    target = io.BytesIO()
    report = repair(io.BytesIO(data), target, info=INFO)
    assert (report.n_packets, report.n_lost) == (20, 0)
    assert verify(io.BytesIO(target.getvalue())).ok


def test_noise_is_given_up_in_time_and_in_memory():
    noise = bytes(60) + b"\xf1\x9a\x00\x00\x00\x01\xff\xff\x03" * 30_000  # each asks for 65535 bytes to be checked
    with pytest.raises(BitstreamError, match="too damaged"):
        verify(io.BytesIO(FILE[:42] + noise))
