"""The store says what was put in, whole or in part, in any process; damage and mixtures are refused."""

import json
import multiprocessing
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec.errors import BitstreamError, CodecError, ConfigError, ModelMismatchError, ShapeError
from audiocodec.tokens import StoreHeader, TokenStore, TokenWriter

HEADER = StoreHeader("test", "ab" * 32, "cd" * 32, 16000, 320, 1, (16, 16, 1024))


def some_codes(frames: int, seed: int = 0) -> np.ndarray:
    """[3, frames] that HEADER allows."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, size, frames) for size in HEADER.codebook_sizes]).astype(np.uint16)


def fill(path, lengths, **options) -> list[np.ndarray]:
    """A store with an item of each length, ids item-0, item-1, ..."""
    codes = [some_codes(length, seed) for seed, length in enumerate(lengths)]
    with TokenWriter(path, HEADER, **options) as writer:
        for number, item in enumerate(codes):
            writer.add(f"item-{number}", item, source=f"{number}.wav", fields={"text": f"né {number}", "n": number})
    return codes


@given(lengths=st.lists(st.integers(0, 40), max_size=12), shard_frames=st.integers(1, 60))
@settings(max_examples=25, deadline=None)
def test_items_come_back_in_order_whatever_the_shards(tmp_path_factory, lengths, shard_frames):
    path = tmp_path_factory.mktemp("store") / "tokens"
    codes = fill(path, lengths, shard_frames=shard_frames)
    store = TokenStore(path)
    assert len(store) == len(lengths) and store.lengths.tolist() == lengths
    for number, (item, expected) in enumerate(zip(store, codes, strict=True)):
        assert item.codes.dtype == np.uint16 and np.array_equal(item.codes, expected)
        assert item.id == f"item-{number}" and item.fields == {"text": f"né {number}", "n": number}
        assert np.array_equal(store[number].codes, expected)
        assert store[number - len(store)] == item == store[item.id]


def test_a_stretch_is_that_stretch(tmp_path):
    (codes,) = fill(tmp_path / "tokens", [100])
    item = TokenStore(tmp_path / "tokens")[0]
    for start, frames in ((0, 100), (17, 5), (99, 1), (100, 0)):
        assert np.array_equal(item.read(start, frames), codes[:, start : start + frames])
    for start, frames in ((-1, 2), (99, 2), (0, -1)):
        with pytest.raises(ConfigError, match="it has 100 frames"):
            item.read(start, frames)


def test_codes_are_mapped_and_cannot_be_changed(tmp_path):
    fill(tmp_path / "tokens", [10])
    codes = TokenStore(tmp_path / "tokens")[0].codes
    assert isinstance(codes, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        codes[0, 0] = 1


def test_header_holds_exact_facts(tmp_path):
    header = StoreHeader("music", "ab" * 32, "cd" * 32, 44100, 512, 2, (1024,) * 9)
    with TokenWriter(tmp_path / "tokens", header):
        pass
    read = TokenStore(tmp_path / "tokens").header
    assert read == header and read.frame_rate == Fraction(44100, 512) and read.n_q == 9


def test_header_of_a_codec_names_it(tiny_codec):
    header = StoreHeader.of(tiny_codec, 3)
    assert header.codebook_sizes == (tiny_codec.codebook_size,) * 3
    assert (header.frame_rate, header.weights_sha256) == (tiny_codec.frame_rate, tiny_codec.weights_sha256)


def test_a_store_grows(tmp_path):
    first = fill(tmp_path / "tokens", [5, 6])
    with TokenWriter(tmp_path / "tokens", HEADER) as writer:
        writer.add("later", some_codes(7, 9))
    store = TokenStore(tmp_path / "tokens")
    assert [item.id for item in store] == ["item-0", "item-1", "later"]
    assert np.array_equal(store[1].codes, first[1])


def test_the_hash_is_of_the_content_only(tmp_path):
    fill(tmp_path / "a", [5, 6])
    fill(tmp_path / "b", [5, 6])
    (tmp_path / "b" / "header.json").write_text(HEADER.to_json().replace('"test"', '"renamed"'))
    fill(tmp_path / "c", [5, 7])
    a, b, c = (TokenStore(tmp_path / name).hash for name in "abc")
    assert a == b != c


def test_failed_items_are_kept_apart(tmp_path):
    with TokenWriter(tmp_path / "tokens", HEADER) as writer:
        writer.add("good", some_codes(3))
        writer.fail("bad", "bad.wav: is empty", source="bad.wav")
        writer.add("better", some_codes(4))
    store = TokenStore(tmp_path / "tokens")
    assert [item.id for item in store] == ["good", "better"] and store[1].frames == 4
    assert [(row.id, row.error) for row in store.failures()] == [("bad", "bad.wav: is empty")]
    assert store.n_failed == 1 and "bad" not in store and "good" in store
    with pytest.raises(KeyError, match="no item"):
        store["bad"]
    with pytest.raises(IndexError, match="has 2 items"):
        store[2]


def test_a_store_that_is_sent_to_a_process_opens_anew_there(tmp_path):
    codes = fill(tmp_path / "tokens", [5, 6])
    store = TokenStore(tmp_path / "tokens")
    assert store["item-1"].frames == 6  # everything is open now
    ours, theirs = multiprocessing.Pipe()
    ours.send(store)  # as it goes to the workers of a DataLoader
    copy = theirs.recv()
    assert np.array_equal(copy["item-1"].codes, codes[1]) and copy[0].source == "0.wav"


def test_an_error_inside_leaves_no_half_shard(tmp_path):
    with pytest.raises(RuntimeError), TokenWriter(tmp_path / "tokens", HEADER) as writer:
        writer.add("a", some_codes(5))
        raise RuntimeError
    assert len(TokenStore(tmp_path / "tokens")) == 0
    assert list((tmp_path / "tokens" / "shards").iterdir()) == []


def test_a_shard_without_its_marker_does_not_exist(tmp_path):
    fill(tmp_path / "tokens", [5, 6], shard_frames=5)
    (tmp_path / "tokens" / "shards" / "000000.done").unlink()
    assert [item.id for item in TokenStore(tmp_path / "tokens")] == ["item-1"]


def test_two_codecs_do_not_mix(tmp_path):
    fill(tmp_path / "tokens", [5])
    other = StoreHeader("other", "00" * 32, "cd" * 32, 16000, 320, 1, (16, 16, 1024))
    with pytest.raises(ModelMismatchError, match="weights_sha256"):
        TokenWriter(tmp_path / "tokens", other)


@pytest.mark.parametrize(
    ("codes", "match"),
    [
        (np.zeros((2, 5), np.int64), "expected whole numbers"),
        (np.zeros((3, 5), np.float32), "expected whole numbers"),
        (np.full((3, 5), 16), "allowed are 0 to 15"),
        (np.full((3, 5), -1), "allowed are 0 to 15"),
    ],
)
def test_impossible_codes_are_refused(tmp_path, codes, match):
    with TokenWriter(tmp_path / "tokens", HEADER) as writer, pytest.raises(ShapeError, match=match):
        writer.add("a", codes)


def test_an_id_is_used_once(tmp_path):
    fill(tmp_path / "tokens", [5])
    with TokenWriter(tmp_path / "tokens", HEADER) as writer:
        with pytest.raises(ConfigError, match="unique"):
            writer.add("item-0", some_codes(1))
        writer.add("b", some_codes(1))
        with pytest.raises(ConfigError, match="unique"):
            writer.fail("b", "why")


@pytest.mark.parametrize(
    ("file", "change", "error"),
    [
        ("header.json", b"{}", BitstreamError),
        ("header.json", HEADER.to_json().replace('"version": 1', '"version": 2').encode(), BitstreamError),
        ("header.json", HEADER.to_json().replace('"50"', '"75"').encode(), BitstreamError),
        ("header.json", b"\xff\xfe", BitstreamError),
        ("shards/000000.done", b"", BitstreamError),
        ("shards/000000.done", json.dumps({"items": 1}).encode(), BitstreamError),
        ("shards/000000.parquet", b"PAR1", BitstreamError),
        ("shards/000000.codes", b"\0\0", BitstreamError),
    ],
)
def test_damage_is_one_clear_error(tmp_path, file, change, error):
    fill(tmp_path / "tokens", [5])
    (tmp_path / "tokens" / file).write_bytes(change)
    with pytest.raises(error, match=file.split("/")[-1]):
        _ = [item.codes for item in TokenStore(tmp_path / "tokens")]


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no token store"):
        TokenStore(tmp_path / "nothing")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("precious")
    with pytest.raises(ConfigError, match="new or empty"):
        TokenWriter(tmp_path / "other", HEADER)
    assert issubclass(ConfigError, CodecError)
