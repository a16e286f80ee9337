"""Merged and split stores hold the same items; nothing is lost, doubled or mixed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec.errors import ConfigError, ModelMismatchError
from audiocodec.tokens import StoreHeader, TokenStore, TokenWriter, merge, split
from audiocodec.tokens.verify import verify
from tests.tokens.test_store import HEADER, some_codes


def fill(path, ids, header=HEADER, shard_frames=20):
    with TokenWriter(path, header, shard_frames=shard_frames) as writer:
        for number, name in enumerate(ids):
            writer.add(name, some_codes(number % 9 + 1, number), source=name[0], fields={"speaker": number % 5})
        writer.fail(f"{path.name}-bad", "broken", fields={"speaker": 0})
    return path


def content(store):
    return {item.id: (item.codes.tobytes(), item.fields) for item in store}


def test_merged_stores_hold_all_items(tmp_path):
    parts = [fill(tmp_path / name, [f"{name}{i}" for i in range(n)]) for name, n in (("a", 7), ("b", 4), ("c", 0))]
    merged = merge(parts, tmp_path / "all")
    assert content(merged) == content(TokenStore(parts[0])) | content(TokenStore(parts[1]))
    assert merged.n_failed == 3 and verify(tmp_path / "all").faults == ()
    assert merge(parts, tmp_path / "all").hash == merged.hash  # again: nothing changes
    with pytest.raises(ConfigError, match="other items"):
        merge(parts[::-1], tmp_path / "all")


def test_a_merge_that_was_interrupted_goes_on(tmp_path):
    parts = [fill(tmp_path / name, [f"{name}{i}" for i in range(5)]) for name in "ab"]
    whole = merge(parts, tmp_path / "all").hash
    for file in sorted((tmp_path / "all" / "shards").glob("*.done"))[1:]:
        file.unlink()
    assert merge(parts, tmp_path / "all").hash == whole


def test_merging_refuses_what_does_not_belong_together(tmp_path):
    a, b = fill(tmp_path / "a", ["x", "y"]), fill(tmp_path / "b", ["y"])
    with pytest.raises(ConfigError, match="id 'y'"):
        merge([a, b], tmp_path / "all")
    other = fill(tmp_path / "c", ["z"], StoreHeader("other", "00" * 32, "cd" * 32, 16000, 320, 1, (16, 16, 1024)))
    with pytest.raises(ModelMismatchError):
        merge([a, other], tmp_path / "all")
    with pytest.raises(ConfigError, match="nothing to merge"):
        merge([], tmp_path / "all")


@given(share=st.floats(0.05, 0.95), seed=st.integers(0, 100), by=st.sampled_from(["id", "source", "speaker"]))
@settings(max_examples=5, deadline=None)
def test_every_item_goes_to_one_part_and_keys_stay_together(tmp_path_factory, share, seed, by):
    folder = tmp_path_factory.mktemp("split")
    path = fill(folder / "a", [f"{'pqrst'[i % 5]}{i}" for i in range(20)])
    parts = split(path, folder / "out", {"train": share, "valid": 1 - share}, by=by, seed=seed)
    together = [content(part) for part in parts.values()]
    assert together[0] | together[1] == content(TokenStore(path)) and not together[0].keys() & together[1].keys()
    assert sum(part.n_failed for part in parts.values()) == 1
    if by != "id":
        keys = [{item.source if by == "source" else item.fields["speaker"] for item in part} for part in parts.values()]
        assert not keys[0] & keys[1]


def test_shares_are_kept(tmp_path):
    path = fill(tmp_path / "a", [f"item{i}" for i in range(400)], shard_frames=10_000)
    parts = split(path, tmp_path / "out", {"train": 0.8, "valid": 0.15, "test": 0.05})
    assert np.allclose([len(part) / 400 for part in parts.values()], [0.8, 0.15, 0.05], atol=0.06)


@pytest.mark.parametrize(
    ("shares", "by", "match"),
    [
        ({"a": 0.5, "b": 0.4}, "id", "sum to 1"),
        ({"a": 1.5, "b": -0.5}, "id", "above 0"),
        ({"../a": 1.0}, "id", "name of a folder"),
        ({"a": 1.0}, "accent", "no field 'accent'"),
    ],
)
def test_wrong_splits(tmp_path, shares, by, match):
    with pytest.raises(ConfigError, match=match):
        split(fill(tmp_path / "a", ["x"]), tmp_path / "out", shares, by=by)
