"""A plan is made from the list alone, once, and says of every shard what is in it."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocodec.errors import BitstreamError, ConfigError, ModelMismatchError
from audiocodec.tokens.plan import MAX_SHARD_ITEMS, cut, pending, read_plans, read_requests
from audiocodec.tokens.requests import find_requests
from audiocodec.tokens.work import begin
from tests.tokens.corpus import files_of, make_corpus


@given(seconds=st.lists(st.floats(0, 50), min_size=1, max_size=60), shard=st.floats(0.1, 100))
def test_shards_hold_everything_once_and_little_more_than_wanted(seconds, shard):
    bounds = cut(seconds, shard)
    assert bounds[0] == 0 and bounds[-1] == len(seconds)
    for start, end in pairwise(bounds):
        assert start < end and (end - start == 1 or sum(seconds[start:end]) <= shard * (1 + 1e-9))


def test_default_size_of_shards():
    assert len(cut([10.0] * 36)) == 2  # 6 minutes: bounds are one more than shards
    assert len(cut([10.0] * 360 * 64)) == pytest.approx(65, abs=1)  # 64 hours
    assert len(cut([3600.0] * 100_000)) == 10_001
    assert np.diff(cut([0.0] * (MAX_SHARD_ITEMS * 2 + 1))).tolist() == [MAX_SHARD_ITEMS, MAX_SHARD_ITEMS, 1]


def test_a_plan_gives_the_requests_back(model, manifest, tmp_path):
    plan = begin(tmp_path / "tokens", [manifest], str(model), shard_seconds=2.0)
    assert len(plan.shards) > 3 and pending(tmp_path / "tokens") == list(plan.shards)
    found = [request for shard in plan.shards for request in read_requests(tmp_path / "tokens", shard)[1]]
    assert found == list(find_requests([manifest]))


def test_planning_again_changes_nothing(model, manifest, tmp_path):
    begin(tmp_path / "tokens", [manifest], str(model))
    before = files_of(tmp_path / "tokens")
    begin(tmp_path / "tokens", [str(manifest)], str(model), append=True)
    assert files_of(tmp_path / "tokens") == before


def test_shards_that_are_planned_stay_unless_others_are_asked_for(model, manifest, tmp_path):
    plan = begin(tmp_path / "tokens", [manifest], str(model), shard_seconds=2.0)
    assert begin(tmp_path / "tokens", [manifest], str(model)) == plan
    with pytest.raises(ConfigError, match="is planned from other recordings or settings"):
        begin(tmp_path / "tokens", [manifest], str(model), shard_seconds=3.0)


def test_other_recordings_are_added_only_when_asked(model, manifest, tmp_path):
    begin(tmp_path / "tokens", [manifest], str(model))
    more = tmp_path / "more.jsonl"
    more.write_text(json.dumps({"path": "x.wav", "duration": 1}))
    with pytest.raises(ConfigError, match="--append"):
        begin(tmp_path / "tokens", [more], str(model))
    begin(tmp_path / "tokens", [more], str(model), append=True)
    first, second = read_plans(tmp_path / "tokens")
    assert second.first == first.shards.stop
    assert [request.id for request in read_requests(tmp_path / "tokens", second.first)[1]] == ["x"]


def test_an_id_is_planned_once(model, tmp_path):
    twice = tmp_path / "twice.jsonl"
    twice.write_text('{"path": "a.wav", "duration": 1}\n{"path": "a.flac", "duration": 1}')
    with pytest.raises(ConfigError, match=r"a\.wav and .*a\.flac"):
        begin(tmp_path / "tokens", [twice], str(model))
    assert read_plans(tmp_path / "tokens") == []
    with pytest.raises(ConfigError, match="has this id already"):
        begin_twice(model, tmp_path)


def begin_twice(model, folder):
    """Plan and code one recording, then append it under another path and the same id."""
    from audiocodec.tokens.engines.local import run_here
    from audiocodec.tokens.work import Settings

    for number, append in ((0, False), (1, True)):
        manifest = folder / f"{number}.jsonl"
        manifest.write_text(json.dumps({"path": f"{number}.wav", "id": "same", "duration": 1}))
        make_corpus(folder / str(number) / "audio")
        source = folder / str(number) / "audio" / "1.wav"
        source.rename(folder / f"{number}.wav")
        begin(folder / "store", [manifest], str(model), append=append)
        list(run_here(folder / "store", pending(folder / "store"), Settings()))


def test_another_codec_or_number_of_codebooks_is_refused(model, manifest, tmp_path):
    begin(tmp_path / "tokens", [manifest], str(model), n_q=2)
    with pytest.raises(ModelMismatchError, match="codebook_sizes"):
        begin(tmp_path / "tokens", [manifest], str(model))
    with pytest.raises(ModelMismatchError):
        begin(tmp_path / "tokens", [manifest], "speech-16k")


def test_nothing_to_code_makes_no_store(model, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no recordings"):
        begin(tmp_path / "tokens", [tmp_path / "empty"], str(model))
    assert not (tmp_path / "tokens").exists()


def test_damaged_plans_are_one_clear_error(model, manifest, tmp_path):
    path = tmp_path / "tokens"
    begin(path, [manifest], str(model), shard_seconds=2.0)
    with pytest.raises(ConfigError, match="no plan has a shard 99"):
        read_requests(path, 99)
    lines = (path / "plans" / "0000.jsonl").read_bytes()
    (path / "plans" / "0000.jsonl").write_bytes(lines[:300])
    with pytest.raises(BitstreamError, match="damaged at shard"):
        read_requests(path, 3)
    (path / "plans" / "0000.json").write_text("{}")
    with pytest.raises(BitstreamError, match="no plan"):
        read_plans(path)
