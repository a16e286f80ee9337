"""Every planted fault is found, and named by its file."""

import json
import shutil

import numpy as np
import pytest

from audiocodec.errors import ConfigError
from audiocodec.tokens.shards import read_marker, write_shard
from audiocodec.tokens.store import TokenStore
from audiocodec.tokens.verify import verify


@pytest.fixture
def store(reference, tmp_path):
    """A copy of the reference, to be damaged."""
    return shutil.copytree(reference, tmp_path / "tokens")


def test_a_whole_store_is_good(store):
    verdict = verify(store, audio=1.0)
    assert verdict.faults == () and (verdict.items, verdict.failed, verdict.missing) == (9, 2, 0)
    assert verdict.checked == 11  # every recording, broken ones too, and every channel


def test_shards_that_are_not_there_are_counted(store):
    (store / "shards" / "000001.done").unlink()
    verdict = verify(store)
    assert verdict.faults == () and verdict.missing == 1


def test_every_flipped_bit_is_found(store):
    rng = np.random.default_rng(0)
    for suffix in ("codes", "parquet"):
        path = store / "shards" / f"000000.{suffix}"
        good = path.read_bytes()
        for place in rng.integers(0, 8 * len(good), 10):
            bad = bytearray(good)
            bad[place // 8] ^= 1 << (place % 8)
            path.write_bytes(bad)
            (fault,) = verify(store).faults
            assert path.name in fault.file and "SHA-256" in fault.what
        path.write_bytes(good[:-1])
        assert "bytes, its marker says" in verify(store).faults[0].what
        path.unlink()
        assert "is missing" in verify(store).faults[0].what
        path.write_bytes(good)
    assert verify(store).faults == ()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("rows_sha256", "0" * 64, "rows"),
        ("items", 99, "counts"),
        ("frames", 1, "counts"),
        ("codes_bytes", -1, "marker"),
    ],
)
def test_forged_markers_are_found(store, key, value, message):
    path = store / "shards" / "000001.done"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    try:
        faults = verify(store).faults
    except Exception as error:  # a marker that cannot be read stops the opening of the store
        faults = [error]
    assert len(faults) == 1 and message in str(faults[0])


def test_codes_that_are_whole_but_wrong_are_found(store):
    """Written with a checksum that fits: only a look at the codes, or coding again, can tell."""
    opened = TokenStore(store)
    rows = list(opened.index(0).rows())
    codes = [opened.shard_codes(0)[row.start : row.start + row.frames].T for row in rows if not row.error]
    write_shard(opened.shards, 0, rows, [(item + 1) % 16 for item in codes])
    assert verify(store).faults == ()
    assert "gives other codes now" in verify(store, audio=1.0).faults[0].what
    write_shard(opened.shards, 0, rows, [item + 16 for item in codes])
    assert "codes that its codebooks do not have" in verify(store).faults[0].what


def test_an_id_that_comes_twice_is_found(store):
    opened = TokenStore(store)
    for suffix in ("codes", "parquet", "done"):
        shutil.copy(store / "shards" / f"000000.{suffix}", store / "shards" / f"000099.{suffix}")
    assert read_marker(opened.shards, 99) is not None
    assert "ids are those of other items" in verify(store).faults[0].what


def test_no_store(tmp_path):
    with pytest.raises(ConfigError, match="no token store"):
        verify(tmp_path)
