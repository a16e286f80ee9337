"""Files that must decode for ever, read by the package and by the reader made from the specification alone."""

import hashlib
import importlib.util
import io
import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec.bitstream import reference as anc_reader
from audiocodec.bitstream.container import Reader, Tables, read
from audiocodec.errors import BitstreamError
from tests.bitstream.samples import make_codes, make_info, make_markov, markov_tables, to_file

GOLDEN = Path(__file__).parent / "golden"
DOCS = Path(__file__).parents[2] / "docs"
TABLE = json.loads((GOLDEN / "golden.json").read_text(encoding="utf-8"))


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_golden = load(GOLDEN / "make_golden.py")
TABLES = (GOLDEN / "golden.tables").read_bytes()


def sha256_of(codes: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(codes).astype("<u4").tobytes()).hexdigest()


def test_there_are_golden_files_of_every_mode():
    assert len(TABLE) >= 12
    assert {mode for entry in TABLE.values() for mode in entry["modes"]} == {"0", "1", "1j", "2", "2j", "15"}
    assert {path.name for path in GOLDEN.glob("*.anc")} == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_golden_files_decode_to_the_same_codes_for_ever(name):
    data = (GOLDEN / name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == TABLE[name]["file_sha256"]
    assert make_golden.describe(data, Tables.from_bytes(TABLES)) == TABLE[name]


@pytest.mark.parametrize("name", TABLE)
def test_the_reader_made_from_the_specification_agrees(name):
    data, entry = (GOLDEN / name).read_bytes(), TABLE[name]
    if "15" in entry["modes"]:
        with pytest.raises(ValueError, match="lost"):
            anc_reader.read(data, TABLES)
        return
    header, codes = anc_reader.read(data, TABLES)
    assert list(codes.shape) == entry["shape"]
    assert sha256_of(codes) == entry["codes_sha256"]
    assert header["samples"] == entry["original_samples"]
    assert header["tags"] == entry["tags"]


def test_the_writer_makes_the_same_bytes_on_every_machine():
    # If the writer learns to make smaller files, this test changes; the files do not (see make_golden.py).
    for name, data in make_golden.make_all().items():
        assert hashlib.sha256(data).hexdigest() == TABLE[name]["file_sha256"], name


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.sampled_from([2, 3, 16, 600, 1024, 4097]), min_size=1, max_size=4),
    sf_bits=st.integers(0, 3),
    n_frames=st.integers(0, 40),
    packet_frames=st.sampled_from([1, 5, 40]),
    channels=st.integers(1, 2),
    kind=st.sampled_from(["uniform", "skewed", "still"]),
)
def test_both_readers_agree_on_whatever_is_written(sizes, sf_bits, n_frames, packet_frames, channels, kind):
    info = make_info(codebook_sizes=tuple(sizes), sf_bits=sf_bits, channels=channels)
    codes = make_codes(info, n_frames, kind)
    header, back = anc_reader.read(to_file(info, codes, packet_frames=packet_frames))
    assert (back == codes).all()
    assert header["sizes"] == sizes


def test_both_readers_agree_on_static_tables():
    tables, codes = markov_tables(), np.stack(make_markov(2, 120, seed=4))
    for packet_frames in (12, 60):
        info = make_info(codebook_sizes=(16,) * 3, channels=2)
        data = to_file(info, codes, tables=tables, packet_frames=packet_frames)
        assert {packet.mode for packet in Reader(io.BytesIO(data)).packets()} == {1}
        assert (anc_reader.read(data, tables.to_bytes())[1] == codes).all()


def test_both_readers_refuse_the_same_damage():
    info = make_info()
    data = to_file(info, make_codes(info, 20, "still"), packet_frames=10)
    for bit in range(0, 8 * len(data), 5):
        changed = bytearray(data)
        changed[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(BitstreamError):
            read(io.BytesIO(changed))
        with pytest.raises((ValueError, IndexError)):
            anc_reader.read(bytes(changed))


def test_the_example_of_the_specification_is_a_file():
    page = (DOCS / "format.md").read_text(encoding="utf-8")
    lines = re.search(r"```hexdump\n(.*?)```", page, re.DOTALL)[1].splitlines()
    data = bytes.fromhex("".join(re.match(r"((?:[0-9a-f]{2} )+)", line)[1] for line in lines))
    info, codes = read(io.BytesIO(data))
    assert codes.tolist() == [[[1, 2, 3], [1021, 1022, 1023]]]
    assert (info.model_name, info.original_samples, info.tags) == ("demo", 900, {"title": "hm"})
    header, again = anc_reader.read(data)
    assert (again == codes).all()
    assert header["weights"].hex() == "00112233"
